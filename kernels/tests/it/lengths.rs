//! Attention over sequences of unlike lengths, as serving has them; those of a case are alike.

use attest::spec::Dims;
use kernels::catalogue::find;
use kernels::inputs;
use kernels::workload::{Workload, dim};

use crate::harness::{devices, dims, expect_right, fresh_seed};

fn decode() -> &'static Workload {
    find("attention.decode.f16.v1").expect("in the catalogue")
}

/// Around the ends of pages and of splits.
const LENGTHS: [u32; 6] = [1, 255, 256, 257, 16, 700];

const NAN: u16 = 0x7E00;

/// The case's inputs with [`LENGTHS`], and NaN where a cache has no token.
fn unlike(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let mut inputs = inputs::generate(decode(), dims, seed);
    inputs[4] = bytemuck::cast_slice(&LENGTHS).to_vec();
    let [page, seqpages] = ["page", "seqpages"].map(|name| dim(dims, name));
    let token_bytes = 2 * dim(dims, "kvheads") * dim(dims, "head");
    let table = inputs[3].clone();
    let (table, _) = table.as_chunks();
    for (pages, length) in table.chunks(seqpages).zip(LENGTHS) {
        for token in length as usize..seqpages * page {
            let slot = u32::from_le_bytes(pages[token / page]) as usize * page + token % page;
            for cache in &mut inputs[1..3] {
                let (halves, _) = cache[slot * token_bytes..][..token_bytes].as_chunks_mut();
                halves.fill(NAN.to_le_bytes());
            }
        }
    }
    inputs
}

#[test]
fn sequences_of_unlike_lengths_are_attended_to_their_ends_and_no_further() {
    let unlike = Workload {
        inputs: Some(unlike),
        ..*decode()
    };
    let sizes = [("heads", 6), ("kvheads", 2), ("head", 40), ("context", 700)];
    let paging = [("batch", 6), ("page", 16), ("seqpages", 44), ("pages", 264)];
    let dims = dims(&[sizes, paging].concat());
    for device in devices() {
        expect_right(device.as_ref(), &unlike, &dims, fresh_seed());
    }
}
