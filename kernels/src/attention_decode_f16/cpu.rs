//! On the CPU: one split of the keys and values of one head a task, widened in registers, for four queries at a time.

use attest::spec::Dims;
use half::f16;
use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};
use rayon::prelude::*;

use super::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use super::lanes::x86::{Register, is_available};
use super::page::Page;
use super::{LONGEST, PAGE, SPLIT, Shape, VECTOR};
use crate::exp::exp;
use crate::wide::{sum_of, wide};

/// Queries that are worked on side by side.
const QUERIES: usize = 4;

/// Keys between the one that is read and the one that is fetched: what memory's latency takes.
const AHEAD: usize = 16;

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

/// Fills `o`. Scratch holds the bytes that [`Shape::scratch`] tells, in the order of the tasks: sequence, split, head.
pub(crate) fn attend(
    shape: Shape,
    tensors: &Tensors,
    newest: Option<Newest>,
    scratch: [&mut [f32]; 2],
    o: &mut [u16],
) {
    let (group, head) = (shape.group(), shape.head);
    let [sums, stats] = scratch;
    let tasks = sums.par_chunks_mut(group * head);
    tasks
        .zip(stats.par_chunks_mut(2 * group))
        .enumerate()
        .for_each_init(
            || Desk::new(group, head),
            |desk, (task, (sums, stats))| {
                let (part, kvhead) = (task / shape.kvheads, task % shape.kvheads);
                let (sequence, split) = (part / shape.splits(), part % shape.splits());
                if desk.lay_out(shape, tensors, [sequence, split, kvhead]) {
                    work(desk, tensors, shape.scale(), sums, stats);
                }
            },
        );
    o.par_chunks_mut(head)
        .with_min_len(16)
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
            o.reinterpret_cast_mut::<f16>()
                .convert_from_f32_slice(&mean[..head]);
        });
}

impl Newest<'_> {
    /// What a split of this token alone leaves of a query: its score and a weight of one, and its values.
    fn part(self, shape: Shape, q: &[u16], row: usize) -> ([f32; 2], [f32; LONGEST]) {
        let kvhead = row / shape.heads * shape.kvheads + row % shape.heads / shape.group();
        let wide = |halves: &[u16]| {
            let mut wide = [0.0; LONGEST];
            halves
                .reinterpret_cast::<f16>()
                .convert_to_f32_slice(&mut wide[..shape.head]);
            wide
        };
        let [k, v] = [self.k, self.v].map(|halves| wide(&halves[kvhead * shape.head..][..shape.head]));
        let score: f32 = wide(q).iter().zip(&k).map(|(q, k)| q * k).sum();
        ([score * shape.scale(), 1.0], v)
    }
}

/// What one task works on, kept by a thread from task to task.
struct Desk {
    /// The queries of the group in f32.
    q: Vec<f32>,
    head: usize,
    /// Where the head of each key stands in both caches.
    places: Vec<usize>,
    /// Scores and then weights, [`SPLIT`] for each query.
    weights: Vec<f32>,
}

impl Desk {
    fn new(group: usize, head: usize) -> Self {
        Self {
            q: vec![0.0; group * head],
            head,
            places: Vec::with_capacity(SPLIT),
            weights: vec![0.0; group * SPLIT],
        }
    }

    /// Whether the sequence reaches into the split.
    fn lay_out(&mut self, shape: Shape, tensors: &Tensors, [sequence, split, kvhead]: [usize; 3]) -> bool {
        let first = (sequence * shape.heads + kvhead * shape.group()) * shape.head;
        let q: &[f16] = tensors.q[first..first + self.q.len()].reinterpret_cast();
        q.convert_to_f32_slice(&mut self.q);
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
    let (head, keys) = (desk.head, desk.places.len());
    let groups = sums.len() / (QUERIES * head);
    let rest = groups * QUERIES..sums.len() / head;
    let Desk {
        q, places, weights, ..
    } = desk;
    let page = |cache, first: usize| Page {
        cache,
        places: &places[first..keys.min(first + PAGE)],
        head,
    };
    for first in (0..keys).step_by(PAGE) {
        let page = page(tensors.kpages, first);
        let ahead = |key: usize| {
            let soon = first + key + AHEAD;
            match places.get(soon) {
                Some(&place) => L::fetch(&tensors.kpages[place..][..head]),
                None => L::fetch(&tensors.vpages[places[(soon - keys).min(keys - 1)]..][..head]),
            }
        };
        for group in 0..groups {
            let (q, weights) = (
                &q[group * QUERIES * head..],
                &mut weights[group * QUERIES * SPLIT + first..],
            );
            match group {
                0 => page.scores::<L, QUERIES>(q, weights, ahead),
                _ => page.scores::<L, QUERIES>(q, weights, |_| ()),
            }
        }
        for query in rest.clone() {
            page.scores::<L, 1>(&q[query * head..], &mut weights[query * SPLIT + first..], ahead);
        }
    }
    for (weights, stats) in weights.chunks_exact_mut(SPLIT).zip(stats.as_chunks_mut().0) {
        *stats = weigh(&mut weights[..keys], scale);
    }
    sums.fill(0.0);
    for first in (0..keys).step_by(PAGE) {
        let page = page(tensors.vpages, first);
        let ahead = |token: usize| {
            if let Some(&place) = places.get(first + token + AHEAD) {
                L::fetch(&tensors.vpages[place..][..head]);
            }
        };
        for group in 0..groups {
            let (weights, sums) = (
                &weights[group * QUERIES * SPLIT + first..],
                &mut sums[group * QUERIES * head..],
            );
            match group {
                0 => page.values::<L, QUERIES>(weights, sums, ahead),
                _ => page.values::<L, QUERIES>(weights, sums, |_| ()),
            }
        }
        for query in rest.clone() {
            page.values::<L, 1>(
                &weights[query * SPLIT + first..],
                &mut sums[query * head..],
                ahead,
            );
        }
    }
}

wide! {
    /// Scores to weights; the largest score, scaled, and the sum of the weights.
    fn weigh(weights: &mut [f32], scale: f32) -> [f32; 2] {
        let top = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max) * scale;
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
