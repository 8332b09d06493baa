//! Products of f32 matrices in every order that training needs, batches of them, and sums with what is there.

use rayon::prelude::*;

use super::blocks::Output;
use super::pack::Operand;
use super::{Shape, Threads, Tile, product_into};
use crate::matmul::Order;

/// One operand of all products of a batch, in elements.
#[derive(Clone, Copy)]
pub(crate) struct Matrices<'a> {
    pub(crate) elements: &'a [f32],
    /// From one stored row to the next.
    pub(crate) pitch: usize,
    /// From one product's matrix to the next one's.
    pub(crate) stride: usize,
    pub(crate) order: Order,
}

impl<'a> Matrices<'a> {
    fn operand(self, index: usize, factor: f32) -> Operand<'a, f32> {
        Operand {
            elements: &self.elements[index * self.stride..],
            pitch: self.pitch,
            order: self.order,
            factor,
        }
    }
}

/// C = `factor` A B, or that added to C, `count` times.
pub(crate) struct Batch<'a> {
    pub(crate) shape: Shape,
    pub(crate) count: usize,
    /// Products in a row that share one B.
    pub(crate) group: usize,
    pub(crate) a: Matrices<'a>,
    pub(crate) b: Matrices<'a>,
    pub(crate) pitch: usize,
    pub(crate) stride: usize,
    pub(crate) factor: f32,
    pub(crate) keep: bool,
}

impl Batch<'_> {
    /// Matrices of C do not overlap.
    pub(crate) fn run(&self, c: &mut [f32]) {
        let Shape { m, n, .. } = self.shape;
        if m * n * self.count == 0 {
            return;
        }
        let before = (self.count - 1) * self.stride;
        assert!(n <= self.pitch && before + (m - 1) * self.pitch + n <= c.len());
        // Side by side in rows, or one after the other.
        let beside = n <= self.stride && before + n <= self.pitch;
        assert!(self.count == 1 || beside || m * self.pitch <= self.stride);
        let start = Start(c.as_mut_ptr().cast());
        let one = |threads: Threads, index: usize| {
            let c = Output {
                // SAFETY: inside C, by the assertions above.
                start: unsafe { start.at(index * self.stride) },
                stride: self.pitch,
                keep: self.keep,
            };
            let a = self.a.operand(index, self.factor);
            let b = self.b.operand(index / self.group, 1.0);
            // SAFETY: no other product of the batch has a word of this one's matrix.
            unsafe { product_into(threads, self.shape, a, b, c, Tile::fused()) };
        };
        if self.count < TASKS_A_THREAD * rayon::current_num_threads() {
            (0..self.count).for_each(|index| one(Threads::All, index));
        } else {
            let products = (0..self.count).into_par_iter().with_max_len(1);
            products.for_each(|index| one(Threads::One, index));
        }
    }
}

/// Products a thread from which on each has one thread.
const TASKS_A_THREAD: usize = 4;

/// The first word of C.
#[derive(Clone, Copy)]
struct Start(*mut u32);

impl Start {
    /// # Safety
    /// C has so many words.
    unsafe fn at(self, words: usize) -> *mut u32 {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(words) }
    }
}

// SAFETY: products of a batch write disjoint words.
unsafe impl Sync for Start {}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(count: usize, step: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * step % 31) as f32) - 15.0).collect()
    }

    /// Small integers, whose sums are exact in any order, in both orders of both operands: matrices of C after each other and
    /// side by side, fewer and more than threads share.
    #[test]
    fn batches_of_every_order_are_the_products_and_what_is_kept() {
        let Shape { m, n, k } = Shape { m: 13, n: 37, k: 29 };
        let orders = [Order::AlongK, Order::AcrossK];
        for (count, group) in [(1, 1), (4, 2), (60, 3)] {
            let (a, b) = (integers(count * m * k, 7), integers(count * n * k, 11));
            let orders = orders.iter().flat_map(|a| orders.map(|b| (*a, b)));
            for ((order_a, order_b), beside) in orders.flat_map(|pair| [(pair, false), (pair, true)]) {
                let operand = |elements, order, rows| Matrices {
                    elements,
                    pitch: if order == Order::AlongK { k } else { rows },
                    stride: rows * k,
                    order,
                };
                let (pitch, stride) = if beside { (count * n, n) } else { (n, m * n) };
                let before = integers(count * m * n, 5);
                let mut c = before.clone();
                let batch = Batch {
                    shape: Shape { m, n, k },
                    count,
                    group,
                    a: operand(&a, order_a, m),
                    b: operand(&b, order_b, n),
                    pitch,
                    stride,
                    factor: 2.0,
                    keep: true,
                };
                batch.run(&mut c);
                let at = |x: &[f32], order, rows, first: usize, row, step| match order {
                    Order::AlongK => x[first * rows * k + row * k + step],
                    Order::AcrossK => x[first * rows * k + step * rows + row],
                };
                for (index, row, column) in { 0..count }.flat_map(|index| {
                    (0..m).flat_map(move |row| (0..n).map(move |column| (index, row, column)))
                }) {
                    let place = index * stride + row * pitch + column;
                    let terms = (0..k).map(|step| {
                        at(&a, order_a, m, index, row, step) * at(&b, order_b, n, index / group, column, step)
                    });
                    let want = before[place] + 2.0 * terms.sum::<f32>();
                    assert_eq!(
                        c[place], want,
                        "{order_a:?} {order_b:?} {index}, {row}, {column} of {count}"
                    );
                }
            }
        }
    }
}
