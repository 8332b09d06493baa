//! One split of the keys and values of some heads: a page at a time, widened in registers, for four queries at a time.

use super::cpu::Tensors;
use super::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use super::lanes::x86::{Register, WIDE, Wide};
use super::page::{Ahead, Page, Place};
use super::{PAGE, SPLIT, Shape, VECTOR};
use crate::exp::exp;
use crate::halves::widen;
use crate::wide::wide;
#[cfg(target_arch = "x86_64")]
use crate::wide::{has_avx2, has_avx512};

/// Queries that are worked on side by side: a set.
const QUERIES: usize = 4;

/// What a task works on, kept by a thread from task to task.
#[derive(Default)]
pub(super) struct Desk {
    head: usize,
    /// Queries of a head of keys.
    group: usize,
    /// Elements of a token in a cache.
    token: usize,
    /// Elements of a vector of `q`.
    vector: usize,
    /// Queries in f32, row by row, and those of each set with their vectors beside each other.
    rows: Vec<f32>,
    q: Vec<f32>,
    /// Where the first of the heads stands in both caches.
    places: Vec<Place>,
    keys: usize,
    /// Scores and then weights, [`SPLIT`] for each query; those of a set beside each other, key by key.
    weights: Vec<f32>,
}

/// First and count of the queries of each set of a head of keys.
fn sets(group: usize) -> impl Iterator<Item = (usize, usize)> {
    let whole = group / QUERIES * QUERIES;
    let fours = (0..whole).step_by(QUERIES).map(|first| (first, QUERIES));
    fours.chain((whole..group).map(|first| (first, 1)))
}

impl Desk {
    /// Whether the sequence reaches into the split.
    pub(super) fn lay_out(
        &mut self,
        shape: Shape,
        tensors: &Tensors,
        [sequence, split, kvhead]: [usize; 3],
        kvheads: usize,
    ) -> bool {
        (self.head, self.group) = (shape.head, shape.group());
        self.token = shape.kvheads * shape.head;
        self.vector = vector_of(shape.head);
        let queries = kvheads * self.group;
        self.weights.resize(queries * SPLIT, 0.0);
        let first = (sequence * shape.heads + kvhead * self.group) * self.head;
        self.take_queries(&tensors.q[first..first + queries * self.head]);
        let pages = &tensors.table[sequence * shape.seqpages..][..shape.seqpages];
        let end = (tensors.lengths[sequence] as usize).min((split + 1) * SPLIT);
        let keys = split * SPLIT..end;
        self.keys = keys.len();
        self.places.clear();
        self.places.extend(keys.step_by(PAGE).map(|key| Place {
            first: (pages[key / PAGE] as usize * PAGE * shape.kvheads + kvhead) * shape.head,
            count: PAGE.min(end - key),
        }));
        self.keys > 0
    }

    fn take_queries(&mut self, halves: &[u16]) {
        self.rows.resize(halves.len(), 0.0);
        self.q.resize(halves.len(), 0.0);
        widen(halves, &mut self.rows);
        let group = self.group * self.head;
        for (rows, q) in { self.rows.chunks_exact(group) }.zip(self.q.chunks_exact_mut(group)) {
            for (first, count) in sets(self.group) {
                let part = first * self.head..(first + count) * self.head;
                put_beside(&rows[part.clone()], &mut q[part], [count, self.vector]);
            }
        }
    }

    /// Weighted sums of the values, and of each query the largest score and the sum of its weights.
    pub(super) fn work(&mut self, tensors: &Tensors, scale: f32, sums: &mut [f32], stats: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if has_avx2() {
            #[target_feature(enable = "avx2,fma,f16c")]
            fn vectors(desk: &mut Desk, tensors: &Tensors, scale: f32, sums: &mut [f32], stats: &mut [f32]) {
                desk.work_with::<Register>(tensors, scale, sums, stats);
            }
            #[target_feature(enable = "avx512f,avx2,fma,f16c")]
            fn wide_vectors(
                desk: &mut Desk,
                tensors: &Tensors,
                scale: f32,
                sums: &mut [f32],
                stats: &mut [f32],
            ) {
                desk.work_with::<Wide>(tensors, scale, sums, stats);
            }
            #[allow(
                unsafe_code,
                reason = "calling a function for F16C or AVX-512 is unsafe without the check just made"
            )]
            // SAFETY: the processor has AVX2, FMA and F16C, and AVX-512 where `vector_of` says so.
            return unsafe {
                match self.vector {
                    WIDE => wide_vectors(self, tensors, scale, sums, stats),
                    _ => vectors(self, tensors, scale, sums, stats),
                }
            };
        }
        self.work_with::<[f32; VECTOR]>(tensors, scale, sums, stats);
    }

    #[inline(always)]
    fn work_with<L: Lanes>(&mut self, tensors: &Tensors, scale: f32, sums: &mut [f32], stats: &mut [f32]) {
        let sizes = [self.head, self.token];
        let (group, keys) = (self.group, self.keys);
        let kvheads = self.q.len() / self.head / group;
        let (k, v): (&[u16], &[u16]) = (tensors.kpages, tensors.vpages);
        let Self {
            q, places, weights, ..
        } = self;
        let pages = |cache| places.iter().map(move |&place| (cache, place));
        let mut next = pages(k).chain(pages(v)).skip(1);
        for (page, &place) in places.iter().enumerate() {
            let mut ahead = Ahead::new(next.next(), kvheads, sizes);
            for kvhead in 0..kvheads {
                let page_of_head = Page::of(k, place, kvhead, sizes);
                for (first, count) in sets(group) {
                    let first = kvhead * group + first;
                    let q = &q[first * sizes[0]..][..count * sizes[0]];
                    let weights = &mut weights[first * SPLIT + page * PAGE * count..];
                    match count {
                        QUERIES => page_of_head.scores::<L, QUERIES>(q, weights, &mut ahead),
                        _ => page_of_head.scores::<L, 1>(q, weights, &mut ahead),
                    }
                }
            }
        }
        weigh_all(weights, [group, keys], scale, stats);
        sums.fill(0.0);
        for (page, &place) in places.iter().enumerate() {
            let mut ahead = Ahead::new(next.next(), kvheads, sizes);
            for kvhead in 0..kvheads {
                let page_of_head = Page::of(v, place, kvhead, sizes);
                for (first, count) in sets(group) {
                    let first = kvhead * group + first;
                    let sums = &mut sums[first * sizes[0]..][..count * sizes[0]];
                    let weights = &weights[first * SPLIT + page * PAGE * count..];
                    match count {
                        QUERIES => page_of_head.values::<L, QUERIES>(weights, sums, &mut ahead),
                        _ => page_of_head.values::<L, 1>(weights, sums, &mut ahead),
                    }
                }
            }
        }
    }
}

/// Scores of all queries, of which each head of keys has a group, to weights.
fn weigh_all(weights: &mut [f32], [group, keys]: [usize; 2], scale: f32, stats: &mut [f32]) {
    let stats: &mut [[f32; 2]] = stats.as_chunks_mut().0;
    let heads = weights.chunks_exact_mut(group * SPLIT);
    for (weights, stats) in heads.zip(stats.chunks_exact_mut(group)) {
        for (first, count) in sets(group) {
            let weights = &mut weights[first * SPLIT..][..count * keys];
            weigh(weights, scale, &mut stats[first..first + count]);
        }
    }
}

/// Elements of a vector of a head of so many.
fn vector_of(_head: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    if has_avx512() && _head.is_multiple_of(WIDE) {
        return WIDE;
    }
    VECTOR
}

/// The vectors of `count` rows one after the other: the first of each row, then the second of each.
fn put_beside(rows: &[f32], beside: &mut [f32], [count, vector]: [usize; 2]) {
    let head = rows.len() / count;
    for (row, vectors) in rows.chunks_exact(head).enumerate() {
        let places = beside.chunks_exact_mut(vector).skip(row).step_by(count);
        for (place, vector) in places.zip(vectors.chunks_exact(vector)) {
            place.copy_from_slice(vector);
        }
    }
}

/// Lanes of [`weigh`]: each is of one query, whose number is the remainder by the count of queries.
const LANES: usize = 32;

wide! {
    /// Scores to weights, those of each key beside each other; of each query the largest score, scaled, and the sum of the
    /// weights.
    fn weigh(weights: &mut [f32], scale: f32, stats: &mut [[f32; 2]]) {
        let (all, rest) = weights.as_chunks_mut::<LANES>();
        let mut tops = [f32::NEG_INFINITY; LANES];
        for (top, weight) in tops.iter_mut().zip(rest.iter()) {
            *top = weight * scale;
        }
        for weights in all.iter() {
            for (top, weight) in tops.iter_mut().zip(weights) {
                let weight = weight * scale;
                *top = if weight > *top { weight } else { *top };
            }
        }
        share(&mut tops, stats.len(), f32::max);
        let mut totals = [0.0; LANES];
        for (total, (weight, top)) in totals.iter_mut().zip(rest.iter_mut().zip(&tops)) {
            *weight = exp(*weight * scale - top);
            *total = *weight;
        }
        for weights in all {
            for (total, (weight, top)) in totals.iter_mut().zip(weights.iter_mut().zip(&tops)) {
                *weight = exp(*weight * scale - top);
                *total += *weight;
            }
        }
        share(&mut totals, stats.len(), |a, b| a + b);
        for (stats, (top, total)) in stats.iter_mut().zip(tops.iter().zip(&totals)) {
            *stats = [*top, *total];
        }
    }
}

/// Combines the lanes of each query and gives all of them the result.
#[inline(always)]
fn share(lanes: &mut [f32; LANES], queries: usize, f: impl Fn(f32, f32) -> f32) {
    let mut width = LANES;
    while width > queries {
        width /= 2;
        for lane in 0..width {
            lanes[lane] = f(lanes[lane], lanes[lane + width]);
        }
    }
    for lane in width..LANES {
        lanes[lane] = lanes[lane - width];
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "x86_64")]
    use attest::exact::stream::{Form, bytes};

    use super::*;

    #[test]
    fn weights_are_those_of_each_query_alone() {
        const KEYS: usize = 53;
        let score = |key: usize, query: usize| ((key * 7 + query * 31) % 41) as f32 / 4.0 - query as f32;
        let mut beside: Vec<f32> = (0..4 * KEYS).map(|at| score(at / 4, at % 4)).collect();
        let mut stats = [[0.0; 2]; 4];
        weigh(&mut beside, 0.5, &mut stats);
        for query in 0..4 {
            let mut alone: Vec<f32> = (0..KEYS).map(|key| score(key, query)).collect();
            let top = alone.iter().copied().fold(f32::NEG_INFINITY, f32::max) * 0.5;
            let want: f64 = alone.iter().map(|score| f64::from(score * 0.5 - top).exp()).sum();
            let mut stats_alone = [[0.0; 2]];
            weigh(&mut alone, 0.5, &mut stats_alone);
            for [largest, total] in [stats[query], stats_alone[0]] {
                assert_eq!(largest, top);
                assert!((f64::from(total) - want).abs() < 1e-5 * want);
            }
            assert!((0..KEYS).all(|key| beside[4 * key + query] == alone[key]));
        }
    }

    /// Sums and statistics of a split in lanes of `L`, `vector` of them.
    #[cfg(target_arch = "x86_64")]
    fn split_by<L: Lanes>(vector: usize, shape: Shape, tensors: &Tensors) -> Vec<f32> {
        let mut desk = Desk::default();
        assert!(desk.lay_out(shape, tensors, [0, 0, 0], shape.kvheads));
        desk.vector = vector;
        desk.take_queries(tensors.q);
        let mut sums = vec![f32::NAN; shape.heads * shape.head];
        let mut stats = vec![f32::NAN; 2 * shape.heads];
        desk.work_with::<L>(tensors, shape.scale(), &mut sums, &mut stats);
        sums.extend(stats);
        sums
    }

    /// Six queries of a head: four beside each other and two alone. Heads of one, two, three and four wide vectors and more.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn lanes_of_any_width_give_the_same() {
        for head in [16, 32, 48, 64, 112, 128] {
            let (keys, kvheads) = (37, 2);
            let shape = Shape {
                batch: 1,
                heads: 6 * kvheads,
                kvheads,
                head,
                seqpages: 3,
            };
            let drawn = |name, count| bytes(&[4; 32], name, Form::F16, count);
            let cache = 3 * PAGE * kvheads * head;
            let [q, k, v]: [Vec<u16>; 3] = [("q", shape.heads * head), ("k", cache), ("v", cache)]
                .map(|(name, count)| bytemuck::cast_slice(&drawn(name, count)).to_vec());
            let tensors = Tensors {
                q: &q,
                kpages: &k,
                vpages: &v,
                table: &[2, 0, 1],
                lengths: &[keys],
            };
            let want = split_by::<[f32; VECTOR]>(VECTOR, shape, &tensors);
            let expect_near = |got: &[f32]| {
                for (got, want) in got.iter().zip(&want) {
                    assert!((got - want).abs() < 1e-4, "head {head}: {got} for {want}");
                }
            };
            if has_avx2() {
                expect_near(&split_by::<Register>(VECTOR, shape, &tensors));
                if has_avx512() {
                    expect_near(&split_by::<Wide>(WIDE, shape, &tensors));
                }
            }
        }
    }

    #[test]
    fn sets_are_fours_and_what_is_left() {
        assert!(sets(6).eq([(0, 4), (4, 1), (5, 1)]));
        assert!(sets(4).eq([(0, 4)]));
        assert!(sets(1).eq([(0, 1)]));
    }
}
