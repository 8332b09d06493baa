//! On the CPU: segments of a row a task, where vectors are compared with the least of the largest so far and seldom pass.

use attest::spec::Dims;
use rayon::prelude::*;

use super::drawn;
use crate::wide::wide;
use crate::workload::dim;

/// Logits of one task: 128 KiB.
const SEGMENT: usize = 1 << 15;

/// Logits that are compared together, and then again where one of them passes.
const VECTOR: usize = 64;
const PART: usize = 8;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [vocabulary, k] = ["vocabulary", "k"].map(|name| dim(dims, name));
    let logits: &[u32] = bytemuck::cast_slice(inputs[0]);
    let scales: &[f32] = bytemuck::cast_slice(inputs[1]);
    let draws: &[u32] = bytemuck::cast_slice(inputs[2]);
    let [columns, tokens, ..] = outputs else {
        unreachable!("two outputs")
    };
    let columns = bytemuck::cast_slice_mut::<u8, u32>(columns).par_chunks_mut(k);
    let tokens = bytemuck::cast_slice_mut::<u8, u32>(tokens).par_iter_mut();
    let rows = logits.par_chunks(vocabulary).zip(scales).zip(draws);
    { rows.zip(columns).zip(tokens) }.for_each(|((((logits, &scale), &draw), columns), token)| {
        let largest = largest_of_row(logits, k);
        for (column, entry) in columns.iter_mut().zip(&largest) {
            *column = entry.column();
        }
        let values = columns
            .iter()
            .map(|&column| f32::from_bits(logits[column as usize]));
        *token = columns[drawn(values, scale, draw)];
    });
}

/// A logit and its column: the larger logit is the larger entry, and of equal ones that of the lower column.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u64);

impl Entry {
    fn new(key: i32, column: u32) -> Self {
        Self(u64::from(key.cast_unsigned() ^ 1 << 31) << 32 | u64::from(!column))
    }

    fn column(self) -> u32 {
        !(self.0 as u32)
    }

    fn key(self) -> i32 {
        (((self.0 >> 32) as u32) ^ 1 << 31).cast_signed()
    }
}

/// An integer in the order of the float with these bits.
#[inline(always)]
fn key_of(bits: u32) -> i32 {
    let signed = bits.cast_signed();
    signed ^ ((signed >> 31).cast_unsigned() >> 1).cast_signed()
}

/// The `k` largest of a row, the largest first.
fn largest_of_row(logits: &[u32], k: usize) -> Vec<Entry> {
    let segments = logits.par_chunks(SEGMENT).enumerate();
    let mut entries: Vec<Entry> = segments
        .flat_map_iter(|(segment, logits)| {
            let mut entries = Vec::with_capacity(2 * k + VECTOR);
            gather(logits, (segment * SEGMENT) as u32, k, &mut entries);
            entries
        })
        .collect();
    keep(&mut entries, k);
    entries.sort_unstable_by(|a, b| b.cmp(a));
    entries
}

/// Drops all but the `k` largest; the least of them where there are so many.
fn keep(entries: &mut Vec<Entry>, k: usize) -> Option<Entry> {
    if entries.len() < k {
        return None;
    }
    let (_, least, _) = entries.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    let least = *least;
    entries.truncate(k);
    Some(least)
}

wide! {
    /// Entries of `logits`, of which the first stands in column `first`: the `k` largest and perhaps others.
    fn gather(logits: &[u32], first: u32, k: usize, entries: &mut Vec<Entry>) {
        // Later columns must be larger to get in.
        let mut least = i32::MIN;
        let (vectors, rest) = logits.as_chunks::<VECTOR>();
        for (index, vector) in vectors.iter().enumerate() {
            if !any_above(vector, least) {
                continue;
            }
            let (parts, _) = vector.as_chunks::<PART>();
            for (part, logits) in parts.iter().enumerate() {
                if any_above(logits, least) {
                    let column = first + (index * VECTOR + part * PART) as u32;
                    take(logits, column, k, &mut least, entries);
                }
            }
        }
        take(rest, first + (vectors.len() * VECTOR) as u32, k, &mut least, entries);
    }
}

#[inline(always)]
fn any_above<const N: usize>(logits: &[u32; N], least: i32) -> bool {
    let mut any = false;
    for &bits in logits {
        any |= key_of(bits) > least;
    }
    any
}

/// Adds what is above the least, which rises whenever so many have come that some must go.
#[inline(always)]
fn take(logits: &[u32], first: u32, k: usize, least: &mut i32, entries: &mut Vec<Entry>) {
    for (&bits, column) in logits.iter().zip(first..) {
        if key_of(bits) > *least {
            entries.push(Entry::new(key_of(bits), column));
        }
    }
    if entries.len() >= 2 * k
        && let Some(entry) = keep(entries, k)
    {
        *least = entry.key();
    }
}
