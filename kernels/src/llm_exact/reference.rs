//! The authority for `llm.exact.v1`: the block of [`attest::exact::llm`], computed once for all rows.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use attest::digest::Sha256;
use attest::exact::llm::{Block, Shape, Tensors};
use attest::spec::Dims;

use crate::elements::f32s;
use crate::workload::{Row, dim};

/// The output of the last inputs.
static LAST: Mutex<Option<(Sha256, Arc<Vec<f32>>)>> = Mutex::new(None);

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let hidden = dim(dims, "hidden");
    let output = output(dims, inputs);
    let row = &output[row.index as usize * hidden..][..hidden];
    row.iter().copied().map(f64::from).collect()
}

fn output(dims: &Dims, inputs: &[&[u8]]) -> Arc<Vec<f32>> {
    let identity = identity(dims, inputs);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some((known, output)) if *known == identity => output.clone(),
        _ => {
            let output = Arc::new(computed(dims, inputs));
            *last = Some((identity, output.clone()));
            output
        }
    }
}

/// On threads of its own: one of rayon's that waits would take another row, which waits for this one.
fn computed(dims: &Dims, inputs: &[&[u8]]) -> Vec<f32> {
    let shape = Shape::of(dims).expect("sizes within the limits");
    let input = |index: usize| values(inputs[index]);
    let tensors = Tensors {
        x: input(0),
        attention_norm: input(1),
        qkv: input(2),
        turns: input(3),
        out: input(4),
        ffn_norm: input(5),
        gate: input(6),
        up: input(7),
        down: input(8),
    };
    let block = Block { shape, tensors };
    let cache = block.cache();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = shape.tokens.div_ceil(threads);
    let starts = (0..shape.tokens).step_by(part);
    std::thread::scope(|scope| {
        let (block, cache) = (&block, &cache);
        let rows = |start: usize| start..shape.tokens.min(start + part);
        let parts: Vec<_> = starts
            .map(|start| scope.spawn(move || block.rows(cache, rows(start))))
            .collect();
        let done = parts
            .into_iter()
            .map(|part| part.join().expect("rows of the block"));
        done.flatten().collect()
    })
}

fn values(bytes: &[u8]) -> Cow<'_, [f32]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(values) => values.into(),
        Err(_) => f32s(bytes, 0..bytes.len() / 4).collect::<Vec<f32>>().into(),
    }
}

/// Bytes of each stretch of an input that [`identity`] reads.
const STRETCH: usize = 4096;

/// Tells inputs apart by their sizes and stretches from end to end: inputs are streams of one seed, which differ everywhere.
fn identity(dims: &Dims, inputs: &[&[u8]]) -> Sha256 {
    let mut parts: Vec<Vec<u8>> = dims.values().map(|size| size.to_le_bytes().to_vec()).collect();
    for input in inputs {
        let step = (input.len() / 16).max(STRETCH);
        for stretch in input.chunks(step) {
            parts.push(stretch[..stretch.len().min(STRETCH)].to_vec());
        }
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Sha256::of_parts(&parts)
}
