//! On the CPU: one split of the keys and values of some heads a task, a page at a time, widened in registers, for four queries
//! at a time. Heads of a token are neighbours in memory: the more of them a task has, the longer the stretches that it reads.

use std::cell::RefCell;

use attest::spec::Dims;
use rayon::prelude::*;

use super::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use super::lanes::x86::{Register, is_available};
use super::page::{Ahead, Page};
use super::{LONGEST, PAGE, SPLIT, Shape, VECTOR};
use crate::exp::exp;
use crate::halves::{narrow, widen};
use crate::wide::{maximum, sum_of, wide};

/// Queries that are worked on side by side.
const QUERIES: usize = 4;

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
                    work(desk, tensors, shape.scale(), sums, stats);
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

/// What one task works on, kept by a thread from task to task.
#[derive(Default)]
struct Desk {
    head: usize,
    /// Queries of a head of keys.
    group: usize,
    /// All queries in f32.
    q: Vec<f32>,
    /// Where the first of the heads of each key stands in both caches; the others follow.
    places: Vec<usize>,
    /// Scores and then weights, [`SPLIT`] for each query.
    weights: Vec<f32>,
}

impl Desk {
    /// Whether the sequence reaches into the split.
    fn lay_out(
        &mut self,
        shape: Shape,
        tensors: &Tensors,
        [sequence, split, kvhead]: [usize; 3],
        kvheads: usize,
    ) -> bool {
        (self.head, self.group) = (shape.head, shape.group());
        let queries = kvheads * self.group;
        self.q.resize(queries * self.head, 0.0);
        self.weights.resize(queries * SPLIT, 0.0);
        let first = (sequence * shape.heads + kvhead * self.group) * self.head;
        widen(&tensors.q[first..first + self.q.len()], &mut self.q);
        let pages = &tensors.table[sequence * shape.seqpages..][..shape.seqpages];
        let end = (tensors.lengths[sequence] as usize).min((split + 1) * SPLIT);
        self.places.clear();
        self.places.extend((split * SPLIT..end).map(|key| {
            let token = pages[key / PAGE] as usize * PAGE + key % PAGE;
            (token * shape.kvheads + kvhead) * shape.head
        }));
        !self.places.is_empty()
    }
}

fn work(desk: &mut Desk, tensors: &Tensors, scale: f32, sums: &mut [f32], stats: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_available() {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn vectors(desk: &mut Desk, tensors: &Tensors, scale: f32, sums: &mut [f32], stats: &mut [f32]) {
            work_with::<Register>(desk, tensors, scale, sums, stats);
        }
        #[allow(
            unsafe_code,
            reason = "calling a function for F16C is unsafe without the check just made"
        )]
        // SAFETY: the processor has AVX2, FMA and F16C.
        return unsafe { vectors(desk, tensors, scale, sums, stats) };
    }
    work_with::<[f32; VECTOR]>(desk, tensors, scale, sums, stats);
}

#[inline(always)]
fn work_with<L: Lanes>(desk: &mut Desk, tensors: &Tensors, scale: f32, sums: &mut [f32], stats: &mut [f32]) {
    let Desk {
        head,
        group,
        q,
        places,
        weights,
    } = desk;
    let (head, group, keys) = (*head, *group, places.len());
    let row = q.len() / group;
    let pages = |cache| places.chunks(PAGE).map(move |places| (cache, places));
    let (k, v): (&[u16], &[u16]) = (tensors.kpages, tensors.vpages);

    for (page, (places, next)) in { places.chunks(PAGE) }
        .zip(pages(k).chain(pages(v)).skip(1))
        .enumerate()
    {
        let mut ahead = Ahead::new(next, row);
        let heads_q = q.chunks_exact(group * head);
        let heads_weights = weights.chunks_exact_mut(group * SPLIT);
        for (kvhead, (q, weights)) in heads_q.zip(heads_weights).enumerate() {
            let weights = &mut weights[page * PAGE..];
            scores::<L>(&Page::of(k, kvhead, places, head), q, weights, &mut ahead);
        }
    }
    for (weights, stats) in weights.chunks_exact_mut(SPLIT).zip(stats.as_chunks_mut().0) {
        *stats = weigh(&mut weights[..keys], scale);
    }
    sums.fill(0.0);
    for (page, (places, next)) in { places.chunks(PAGE) }
        .zip(pages(v).skip(1).chain([(v, &[][..])]))
        .enumerate()
    {
        let mut ahead = Ahead::new(next, row);
        let heads_weights = weights.chunks_exact(group * SPLIT);
        let heads_sums = sums.chunks_exact_mut(group * head);
        for (kvhead, (weights, sums)) in heads_weights.zip(heads_sums).enumerate() {
            let weights = &weights[page * PAGE..];
            values::<L>(&Page::of(v, kvhead, places, head), weights, sums, &mut ahead);
        }
    }
}

/// Of the queries of a head of keys.
#[inline(always)]
fn scores<L: Lanes>(page: &Page, q: &[f32], weights: &mut [f32], ahead: &mut Ahead) {
    let (whole, queries) = (q.len() / page.head / QUERIES * QUERIES, q.len() / page.head);
    for query in (0..whole).step_by(QUERIES) {
        let (q, weights) = (&q[query * page.head..], &mut weights[query * SPLIT..]);
        page.scores::<L, QUERIES>(q, weights, || {
            if query == 0 {
                ahead.fetch::<L>(page.head);
            }
        });
    }
    for query in whole..queries {
        let (q, weights) = (&q[query * page.head..], &mut weights[query * SPLIT..]);
        page.scores::<L, 1>(q, weights, || {
            if query == 0 {
                ahead.fetch::<L>(page.head);
            }
        });
    }
}

#[inline(always)]
fn values<L: Lanes>(page: &Page, weights: &[f32], sums: &mut [f32], ahead: &mut Ahead) {
    let (whole, queries) = (sums.len() / page.head / QUERIES * QUERIES, sums.len() / page.head);
    for query in (0..whole).step_by(QUERIES) {
        let (weights, sums) = (&weights[query * SPLIT..], &mut sums[query * page.head..]);
        page.values::<L, QUERIES>(weights, sums, || {
            if query == 0 {
                ahead.fetch::<L>(page.head);
            }
        });
    }
    for query in whole..queries {
        let (weights, sums) = (&weights[query * SPLIT..], &mut sums[query * page.head..]);
        page.values::<L, 1>(weights, sums, || {
            if query == 0 {
                ahead.fetch::<L>(page.head);
            }
        });
    }
}

wide! {
    /// Scores to weights; the largest score, scaled, and the sum of the weights.
    fn weigh(weights: &mut [f32], scale: f32) -> [f32; 2] {
        let top = maximum(weights) * scale;
        for weight in weights.iter_mut() {
            *weight = exp(*weight * scale - top);
        }
        [top, sum_of(weights, |weight| weight) as f32]
    }
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
