//! On the CPU: one split of the keys and values of some heads a task. Heads of a token are neighbours in memory: the more of
//! them a task has, the longer the stretches that it reads.

use std::cell::RefCell;

use attest::spec::Dims;
use rayon::prelude::*;

use super::desk::Desk;
use super::{LONGEST, SPLIT, Shape, VECTOR};
use crate::exp::exp;
use crate::halves::{narrow, widen};
use crate::wide::wide;

/// Tasks of a thread: enough that threads end together.
const TASKS: usize = 4;

/// Elements of splits that are worth a task.
const COMBINED: usize = 1 << 11;

/// The tensors of an attention, dense as the specification has them.
pub(crate) struct Tensors<'a> {
    pub(crate) q: &'a [u16],
    pub(crate) kpages: &'a [u16],
    pub(crate) vpages: &'a [u16],
    pub(crate) table: &'a [u32],
    pub(crate) lengths: &'a [u32],
}

/// The keys and the values of a token that the cache does not hold yet.
#[derive(Clone, Copy)]
pub(crate) struct Newest<'a> {
    pub(crate) k: &'a [u16],
    pub(crate) v: &'a [u16],
}

impl<'a> Tensors<'a> {
    /// The inputs in their order.
    pub(super) fn of(inputs: &[&'a [u8]]) -> Self {
        Self {
            q: bytemuck::cast_slice(inputs[0]),
            kpages: bytemuck::cast_slice(inputs[1]),
            vpages: bytemuck::cast_slice(inputs[2]),
            table: bytemuck::cast_slice(inputs[3]),
            lengths: bytemuck::cast_slice(inputs[4]),
        }
    }
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [o, sums, stats] = outputs else {
        unreachable!("one output and the two of the plan's scratch")
    };
    let scratch = [sums, stats].map(|bytes| bytemuck::cast_slice_mut(bytes));
    attend(
        Shape::of(dims),
        &Tensors::of(inputs),
        None,
        scratch,
        bytemuck::cast_slice_mut(o),
    );
}

/// Fills `o`. Scratch holds the bytes that [`Shape::scratch`] tells, by sequence, split and head.
pub(crate) fn attend(
    shape: Shape,
    tensors: &Tensors,
    newest: Option<Newest>,
    scratch: [&mut [f32]; 2],
    o: &mut [u16],
) {
    let head = shape.head;
    let [sums, stats] = scratch;
    let kvheads = kvheads_of_a_task(shape);
    let queries = kvheads * shape.group();
    let tasks = sums.par_chunks_mut(queries * head);
    tasks
        .zip(stats.par_chunks_mut(2 * queries))
        .enumerate()
        .with_max_len(1)
        .for_each(|(task, (sums, stats))| {
            let (part, first) = (task * kvheads / shape.kvheads, task * kvheads % shape.kvheads);
            let (sequence, split) = (part / shape.splits(), part % shape.splits());
            DESK.with_borrow_mut(|desk| {
                if desk.lay_out(shape, tensors, [sequence, split, first], kvheads) {
                    desk.work(tensors, shape.scale(), sums, stats);
                }
            });
        });
    o.par_chunks_mut(head)
        .with_min_len(COMBINED / (shape.splits() * head))
        .enumerate()
        .for_each(|(row, o)| {
            let (sequence, query) = (row / shape.heads, row % shape.heads);
            let splits = (tensors.lengths[sequence] as usize).div_ceil(SPLIT);
            let parts = (0..splits).map(|split| (sequence * shape.splits() + split) * shape.heads + query);
            let parts = parts.map(|part| (&stats[2 * part..][..2], &sums[part * head..][..head]));
            let last = newest.map(|newest| newest.part(shape, &tensors.q[row * head..][..head], row));
            let last = { last.as_ref() }.map(|(stats, v)| (&stats[..], &v[..head]));
            let mut mean = [0.0; LONGEST];
            combine(parts.chain(last), &mut mean[..head]);
            narrow(&mean[..head], o);
        });
}

impl Newest<'_> {
    /// What a split of this token alone leaves of a query: its score and a weight of one, and its values.
    fn part(self, shape: Shape, q: &[u16], row: usize) -> ([f32; 2], [f32; LONGEST]) {
        let kvhead = row / shape.heads * shape.kvheads + row % shape.heads / shape.group();
        let wide = |halves: &[u16]| {
            let mut wide = [0.0; LONGEST];
            widen(halves, &mut wide[..shape.head]);
            wide
        };
        let [k, v] = [self.k, self.v].map(|halves| wide(&halves[kvhead * shape.head..][..shape.head]));
        ([dot(&wide(q), &k) * shape.scale(), 1.0], v)
    }
}

wide! {
    fn dot(a: &[f32; LONGEST], b: &[f32; LONGEST]) -> f32 {
        let mut lanes = [0.0; VECTOR];
        for (a, b) in a.as_chunks::<VECTOR>().0.iter().zip(b.as_chunks::<VECTOR>().0) {
            for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane += a * b;
            }
        }
        lanes.iter().sum()
    }
}

/// As many as leave [`TASKS`] to every thread.
fn kvheads_of_a_task(shape: Shape) -> usize {
    let all = shape.batch * shape.splits() * shape.kvheads;
    let most = (all / (TASKS * rayon::current_num_threads())).clamp(1, shape.kvheads);
    let divides = |kvheads: &usize| shape.kvheads.is_multiple_of(*kvheads);
    (1..=most).rev().find(divides).unwrap_or(1)
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

/// The mean of the values over all splits of a query, in their order.
fn combine<'a>(parts: impl Iterator<Item = (&'a [f32], &'a [f32])> + Clone, mean: &mut [f32]) {
    let tops = parts.clone().map(|(stats, _)| stats[0]);
    let top = tops.fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for (stats, sums) in parts {
        let share = exp(stats[0] - top);
        total += share * stats[1];
        for (mean, sum) in mean.iter_mut().zip(sums) {
            *mean += share * sum;
        }
    }
    for mean in mean {
        *mean /= total;
    }
}
