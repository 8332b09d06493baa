//! Forward and backward pass in f64, written plainly.

use super::super::{EPSILON, Sizes};
use crate::wide::wide;

/// A row-major matrix.
#[derive(Clone)]
struct Matrix {
    rows: usize,
    cols: usize,
    cells: Vec<f64>,
}

/// Outputs in the specification's order.
pub(super) fn run(sizes: Sizes, inputs: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let Sizes {
        tokens,
        hidden,
        heads,
        kvheads,
        width,
        inner,
    } = sizes;
    let (query, key) = (heads * width, kvheads * width);
    let matrix = |index: usize, rows| Matrix::new(rows, inputs[index].clone());
    let (x, dy, table) = (matrix(0, tokens), matrix(1, tokens), matrix(2, tokens));
    let (wq, wk, wv) = (matrix(4, query), matrix(5, key), matrix(6, key));
    let (wo, gate, up, down) = (
        matrix(7, hidden),
        matrix(9, inner),
        matrix(10, inner),
        matrix(11, hidden),
    );
    let (norm1, norm2) = (&inputs[3], &inputs[8]);

    let n = norm(&x, norm1);
    let q = turned(&n.times(&wq.transposed()), &table, width, 1.0);
    let k = turned(&n.times(&wk.transposed()), &table, width, 1.0);
    let v = n.times(&wv.transposed());
    let attention = Attention { sizes, q, k, v };
    let mixed = attention.forward();
    let middle = mixed.times(&wo.transposed()).plus(&x);
    let m = norm(&middle, norm2);
    let (g, u) = (m.times(&gate.transposed()), m.times(&up.transposed()));
    let act = g.with(&u, |g, u| g * logistic(g) * u);
    let y = act.times(&down.transposed()).plus(&middle);

    let dact = dy.times(&down);
    let ddown = dy.transposed().times(&act);
    let slope = |g: f64| logistic(g) * (1.0 + g * (1.0 - logistic(g)));
    let dg = dact.with(&u, |d, u| d * u).with(&g, |d, g| d * slope(g));
    let du = dact.with(&g, |d, g| d * g * logistic(g));
    let (dgate, dup) = (dg.transposed().times(&m), du.transposed().times(&m));
    let dm = dg.times(&gate).plus(&du.times(&up));
    let (dmiddle, dnorm2) = norm_back(&middle, norm2, &dm);
    let dmiddle = dmiddle.plus(&dy);
    let dwo = dmiddle.transposed().times(&mixed);
    let [dq, dk, dv] = attention.backward(&dmiddle.times(&wo));
    let (dq, dk) = (turned(&dq, &table, width, -1.0), turned(&dk, &table, width, -1.0));
    let [dwq, dwk, dwv] = [&dq, &dk, &dv].map(|d| d.transposed().times(&n));
    let dn = dq.times(&wq).plus(&dk.times(&wk)).plus(&dv.times(&wv));
    let (dx, dnorm1) = norm_back(&x, norm1, &dn);
    let dx = dx.plus(&dmiddle);
    let [y, dx, dwq, dwk, dwv, dwo, dgate, dup, ddown] =
        [y, dx, dwq, dwk, dwv, dwo, dgate, dup, ddown].map(|matrix| matrix.cells);
    vec![y, dx, dnorm1, dwq, dwk, dwv, dwo, dnorm2, dgate, dup, ddown]
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn scale(row: &[f64]) -> f64 {
    let mean = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
    1.0 / (mean + EPSILON).sqrt()
}

fn norm(x: &Matrix, weight: &[f64]) -> Matrix {
    x.by_rows(|row| {
        let scale = scale(row);
        row.iter()
            .zip(weight)
            .map(|(x, weight)| x * scale * weight)
            .collect()
    })
}

/// Gradients of the rows and of the weights.
fn norm_back(x: &Matrix, weight: &[f64], dy: &Matrix) -> (Matrix, Vec<f64>) {
    let mut dx = Vec::with_capacity(x.cells.len());
    let mut dweight = vec![0.0; weight.len()];
    for (x, dy) in x.cells.chunks(x.cols).zip(dy.cells.chunks(x.cols)) {
        let scale = scale(x);
        let normal: Vec<f64> = x.iter().map(|x| x * scale).collect();
        let products = normal.iter().zip(dy).zip(weight);
        let mean = products.map(|((n, dy), w)| n * dy * w).sum::<f64>() / x.len() as f64;
        for (dweight, (n, dy)) in dweight.iter_mut().zip(normal.iter().zip(dy)) {
            *dweight += n * dy;
        }
        dx.extend(
            normal
                .iter()
                .zip(dy)
                .zip(weight)
                .map(|((n, dy), w)| scale * (dy * w - n * mean)),
        );
    }
    (Matrix::new(x.rows, dx), dweight)
}

/// Each pair of each head turned by its angle, forwards or backwards.
fn turned(x: &Matrix, table: &Matrix, width: usize, direction: f64) -> Matrix {
    let mut cells = Vec::with_capacity(x.cells.len());
    for (row, angles) in x.cells.chunks(x.cols).zip(table.cells.chunks(width)) {
        for (pair, angle) in row.chunks(2).zip(angles.chunks(2).cycle()) {
            let (cos, sin) = (angle[0], direction * angle[1]);
            cells.extend([pair[0] * cos - pair[1] * sin, pair[0] * sin + pair[1] * cos]);
        }
    }
    Matrix::new(x.rows, cells)
}

struct Attention {
    sizes: Sizes,
    q: Matrix,
    k: Matrix,
    v: Matrix,
}

impl Attention {
    fn probabilities(&self, head: usize) -> Matrix {
        let (width, group) = (self.sizes.width, self.sizes.group());
        let k = self.k.columns(head / group * width, width);
        let scores = self.q.columns(head * width, width).times(&k.transposed());
        let mut token = 0;
        scores.by_rows(|row| {
            token += 1;
            let factor = self.sizes.factor();
            let top = row[..token].iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = row[..token].iter().map(|x| ((x - top) * factor).exp()).collect();
            let sum: f64 = powers.iter().sum();
            let unseen = std::iter::repeat_n(0.0, row.len() - token);
            powers.iter().map(|power| power / sum).chain(unseen).collect()
        })
    }

    fn forward(&self) -> Matrix {
        let (width, group) = (self.sizes.width, self.sizes.group());
        let mut mixed = Matrix::zeros(self.q.rows, self.q.cols);
        for head in 0..self.sizes.heads {
            let v = self.v.columns(head / group * width, width);
            mixed.add_columns(head * width, &self.probabilities(head).times(&v));
        }
        mixed
    }

    /// Gradients of q, k and v.
    fn backward(&self, dmixed: &Matrix) -> [Matrix; 3] {
        let (width, group) = (self.sizes.width, self.sizes.group());
        let mut gradients = [&self.q, &self.k, &self.v].map(|of| Matrix::zeros(of.rows, of.cols));
        for head in 0..self.sizes.heads {
            let shared = head / group * width;
            let [q, d] = [&self.q, dmixed].map(|of| of.columns(head * width, width));
            let [k, v] = [&self.k, &self.v].map(|of| of.columns(shared, width));
            let p = self.probabilities(head);
            let dp = d.times(&v.transposed());
            let both = p.with(&dp, |p, dp| p * dp);
            let sums = both.cells.chunks(both.cols).map(|row| row.iter().sum::<f64>());
            let rest = p.cells.chunks(p.cols).zip(dp.cells.chunks(p.cols)).zip(sums);
            let cells = rest.flat_map(|((p, dp), sum)| {
                p.iter()
                    .zip(dp)
                    .map(move |(p, dp)| p * (dp - sum) * self.sizes.factor())
            });
            let dscore = Matrix::new(p.rows, cells.collect());
            gradients[0].add_columns(head * width, &dscore.times(&k));
            gradients[1].add_columns(shared, &dscore.transposed().times(&q));
            gradients[2].add_columns(shared, &p.transposed().times(&d));
        }
        gradients
    }
}

impl Matrix {
    fn new(rows: usize, cells: Vec<f64>) -> Self {
        Self {
            rows,
            cols: cells.len() / rows,
            cells,
        }
    }

    fn zeros(rows: usize, cols: usize) -> Self {
        Self::new(rows, vec![0.0; rows * cols])
    }

    fn transposed(&self) -> Self {
        let cells =
            (0..self.cols).flat_map(|col| (0..self.rows).map(move |row| self.cells[row * self.cols + col]));
        Self::new(self.cols, cells.collect())
    }

    fn columns(&self, first: usize, count: usize) -> Self {
        let rows = self.cells.chunks(self.cols);
        let cells = rows.flat_map(|row| row[first..first + count].iter().copied());
        Self::new(self.rows, cells.collect())
    }

    fn add_columns(&mut self, first: usize, more: &Self) {
        for (row, more) in self.cells.chunks_mut(self.cols).zip(more.cells.chunks(more.cols)) {
            for (cell, more) in row[first..].iter_mut().zip(more) {
                *cell += more;
            }
        }
    }

    fn by_rows(&self, f: impl FnMut(&[f64]) -> Vec<f64>) -> Self {
        Self::new(self.rows, self.cells.chunks(self.cols).flat_map(f).collect())
    }

    fn with(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let pairs = self.cells.iter().zip(&other.cells);
        Self::new(self.rows, pairs.map(|(a, b)| f(*a, *b)).collect())
    }

    fn plus(&self, other: &Self) -> Self {
        self.with(other, |a, b| a + b)
    }

    /// On threads of its own: see [`kept`](super::kept).
    fn times(&self, other: &Self) -> Self {
        const WORTH_A_THREAD: usize = 1 << 20;
        let mut result = Self::zeros(self.rows, other.cols);
        let work = self.cells.len() * other.cols;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let rows = match work / WORTH_A_THREAD {
            0 => self.rows,
            _ => self.rows.div_ceil(threads).next_multiple_of(4),
        };
        std::thread::scope(|scope| {
            let strips = self.cells.chunks(rows * self.cols);
            for (a, c) in strips.zip(result.cells.chunks_mut(rows * other.cols)) {
                let mut strip = || multiply(a, &other.cells, c, self.cols, other.cols);
                if rows >= self.rows {
                    strip();
                } else {
                    scope.spawn(strip);
                }
            }
        });
        result
    }
}

/// C += A B, four rows and a stretch of columns at a time.
fn multiply(a: &[f64], b: &[f64], c: &mut [f64], k: usize, n: usize) {
    const COLUMNS: usize = 512;
    for start in (0..n).step_by(COLUMNS) {
        let columns = start..n.min(start + COLUMNS);
        for (a, c) in a.chunks(4 * k).zip(c.chunks_mut(4 * n)) {
            for step in 0..k {
                let b = &b[step * n..][columns.clone()];
                for (a, c) in a.chunks(k).zip(c.chunks_mut(n)) {
                    add_row(&mut c[columns.clone()], a[step], b);
                }
            }
        }
    }
}

wide! {
    fn add_row(c: &mut [f64], a: f64, b: &[f64]) {
        for (c, b) in c.iter_mut().zip(b) {
            *c += a * b;
        }
    }
}
