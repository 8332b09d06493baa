//! Products of several matrices with the same activations: queries, keys and values; gate and up. On a GPU launches one after
//! the other, on the processor tasks of all at once, which threads share without waiting for each matrix's last.

use attest::spec::Dims;

use super::cpu::products;
use crate::q4::Rows;
use crate::stages::{Op, Sequence, Stage};
use crate::workload::{PART_ALIGNMENT, Slot, dim};

/// Weights and scales of each matrix, and the activations' integers and scales, to the sums of each matrix, [`apart`] elements
/// after the last one's. Sizes: rows `n0`, `n1` and so on, `blocks`, `block`.
static OP: Op = Op {
    plan: |dims, target| each(dims).plan(target),
    cpu,
    limits: Some(|dims| each(dims).refusal()),
};

/// Elements from one matrix's first sum to the next one's: parts of buffers may begin there, in f32 and narrowed to f16.
pub(crate) fn apart(rows: usize) -> usize {
    rows.next_multiple_of(PART_ALIGNMENT as usize / size_of::<u16>())
}

/// Weights, scales and rows of each, all of the same blocks; sums go to the buffer or the part of one that begins with `y`.
pub(crate) fn stage(matrices: &[([Slot; 2], usize)], blocks: usize, x: [Slot; 2], y: Slot) -> Stage {
    let names: Vec<String> = (0..matrices.len()).map(|matrix| format!("n{matrix}")).collect();
    let rows = matrices.iter().map(|(_, rows)| *rows);
    let sizes = names.iter().map(String::as_str).zip(rows);
    let sizes: Vec<_> = sizes
        .chain([("blocks", blocks), ("block", super::BLOCK)])
        .collect();
    let last = matrices.last().map_or(0, |(_, rows)| *rows);
    let end = firsts(matrices.iter().map(|(_, rows)| *rows)).last().unwrap_or(0) + last;
    let y = y.part(0, (end * size_of::<f32>()) as u64);
    let weights = matrices.iter().flat_map(|(weights, _)| *weights);
    let inputs: Vec<Slot> = weights.chain(x).collect();
    Stage::new(OP, &sizes, &inputs, &[y])
}

/// The first element of the sums of each matrix of so many rows.
pub(crate) fn firsts(rows: impl Iterator<Item = usize>) -> impl Iterator<Item = usize> {
    rows.scan(0, |end, rows| Some(std::mem::replace(end, *end + apart(rows))))
}

/// Rows of each matrix.
fn rows(dims: &Dims) -> impl Iterator<Item = usize> {
    (0..).map_while(|matrix| dims.get(&format!("n{matrix}")).map(|rows| *rows as usize))
}

fn each(dims: &Dims) -> Sequence {
    let [blocks, block] = ["blocks", "block"].map(|name| (name, dim(dims, name)));
    let matrices = rows(dims).zip(firsts(rows(dims))).enumerate();
    let x = 2 * rows(dims).count();
    let stage = |(matrix, (rows, first))| {
        let single = size_of::<f32>();
        let sums = Slot::Output(0).part((first * single) as u64, (rows * single) as u64);
        let inputs = [2 * matrix, 2 * matrix + 1, x, x + 1].map(Slot::Input);
        Stage::of(&super::WORKLOAD, &[("n", rows), blocks, block], &inputs, sums)
    };
    Sequence::new(matrices.map(stage).collect(), vec![], 1)
}

fn cpu(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let (weights, x) = inputs.split_at(inputs.len() - 2);
    let mut left: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    let mut matrices = Vec::new();
    for (rows, weights) in rows(dims).zip(weights.as_chunks().0) {
        let (sums, rest) = left.split_at_mut(apart(rows).min(left.len()));
        matrices.push(Rows::new(*weights, &mut sums[..rows]));
        left = rest;
    }
    products(matrices, [x[0], x[1]], dim(dims, "blocks"));
}

#[cfg(test)]
mod tests {
    use attest::exact::stream::{Form, bytes};

    use super::*;
    use crate::specify::dims_of;

    /// One after the other they leave the same bits, wherever tasks end.
    #[test]
    fn several_matrices_give_what_each_gives_alone() {
        const BLOCKS: usize = 11;
        let drawn = |name: &str, form, bytes_of: usize| bytes(&[7; 32], name, form, bytes_of);
        let (x, x_scales) = (drawn("x", Form::I8, BLOCKS * 32), vec![0x2C; 2 * BLOCKS]);
        let matrices = [67, 1, 130].map(|rows| {
            let blocks = drawn(&format!("w{rows}"), Form::I8, rows * BLOCKS * 16);
            (rows, [blocks, vec![0x2D; 2 * rows * BLOCKS]])
        });
        let sizes = [("n0", 67), ("n1", 1), ("n2", 130), ("blocks", 11), ("block", 32)];
        let mut inputs: Vec<&[u8]> = { matrices.iter() }
            .flat_map(|(_, weights)| weights.each_ref().map(Vec::as_slice))
            .collect();
        inputs.extend([&x[..], &x_scales[..]]);
        let mut together = vec![0u8; 4 * (128 + 128 + 130)];
        cpu(&dims_of(&sizes), &inputs, &mut [&mut together]);
        let mut first = 0;
        for (rows, [blocks, scales]) in &matrices {
            let dims = dims_of(&[("n", *rows as u64), ("blocks", 11), ("block", 32)]);
            let mut alone = vec![0u8; 4 * rows];
            (super::super::WORKLOAD.cpu)(&dims, &[blocks, scales, &x, &x_scales], &mut [&mut alone]);
            assert!(alone.iter().any(|&byte| byte != 0));
            assert_eq!(together[4 * first..][..4 * rows], alone[..]);
            first += apart(*rows);
        }
    }
}
