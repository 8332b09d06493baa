//! On the CPU.
//!
//! A thread carries several lanes at once: while one waits for its entry, which was asked for a round before, the others
//! are mixed.

use attest::digest::Sha256;
use attest::spec::Dims;
use rayon::prelude::*;
use sha2::block_api::compress256;

use super::keys_of;
use crate::tree::{self, HASH};
use crate::wide::{fetch, wide};
use crate::workload::dim;

type Words = [u32; 8];

/// Lanes that a thread carries at once: as many as a core has lines under way.
const TOGETHER: usize = 16;

/// Entries of one task: about a tenth of a millisecond of hashing.
const STRIP: usize = 128;

const MIX: u32 = 0x9E37_79B1;

/// The last buffer is the table, scratch of the plan.
pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [entry_key, lane_key] = keys_of(inputs[0]);
    let [steps, rounds] = ["steps", "rounds"].map(|name| dim(dims, name));
    let [state, tree, table] = outputs else {
        unreachable!("two outputs and the table");
    };
    fill(&entry_key, rounds, table);
    let table: &[Words] = bytemuck::cast_slice(table);
    let lanes: &mut [Words] = bytemuck::cast_slice_mut(state);
    lanes
        .par_chunks_mut(TOGETHER)
        .enumerate()
        .for_each(|(chunk, lanes)| {
            for (lane, state) in (chunk * TOGETHER..).zip(lanes.iter_mut()) {
                *state = start(&lane_key, lane as u64);
            }
            walk(lanes, table, steps);
        });
    tree::build(HASH, state, tree);
}

fn fill(key: &Sha256, rounds: usize, table: &mut [u8]) {
    let entries = table.par_chunks_mut(STRIP * HASH).enumerate();
    entries.for_each(|(strip, entries)| {
        for (index, entry) in (strip * STRIP..).zip(entries.as_chunks_mut::<HASH>().0) {
            *entry = hashed(key, index as u64, rounds);
        }
    });
}

/// SHA-256 applied `rounds` times, first to the key and the index.
fn hashed(key: &Sha256, index: u64, rounds: usize) -> [u8; HASH] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&key.0);
    block[32..40].copy_from_slice(&index.to_le_bytes());
    block[40] = 0x80;
    block[62..].copy_from_slice(&(8 * 40u16).to_be_bytes());
    for _ in 0..rounds {
        let mut state = SHA256_START;
        compress256(&mut state, &[block]);
        for (bytes, word) in block.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        block[32..41].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0]);
        block[62..].copy_from_slice(&(8 * 32u16).to_be_bytes());
    }
    *block.first_chunk().expect("32 of 64 bytes")
}

/// Initial hash value of FIPS 180-4.
const SHA256_START: Words = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

fn start(key: &Sha256, lane: u64) -> Words {
    bytemuck::cast(Sha256::of_parts(&[&key.0, &lane.to_le_bytes()]).0)
}

wide! {
    fn walk(lanes: &mut [Words], table: &[Words], steps: usize) {
        // A power of two of entries, so that the compiler sees every index inside.
        let last = table.len() - 1;
        for _ in 0..steps {
            for state in lanes.iter_mut() {
                let entry = &table[state[0] as usize & last];
                let mut mixed = [0; 8];
                for word in 0..8 {
                    mixed[word] = (state[word] ^ entry[word]).wrapping_mul(MIX);
                }
                for word in 0..8 {
                    state[word] = mixed[word].wrapping_add(mixed[(word + 1) % 8].rotate_left(13));
                }
                fetch(&raw const table[state[0] as usize & last]);
            }
        }
    }
}
