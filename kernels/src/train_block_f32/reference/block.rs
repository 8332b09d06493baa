//! Forward and backward pass in f64, written plainly.

use super::super::{EPSILON, Sizes, WEIGHTS};
use super::matrix::Matrix;

/// Outputs in the specification's order.
pub(super) fn run(sizes: Sizes, inputs: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let [x, dy, table] = [0, 1, 2].map(|index| Matrix::new(sizes.tokens, inputs[index].clone()));
    let weights: Vec<&[f64]> = inputs[3..].iter().map(Vec::as_slice).collect();
    let pass = Pass::forward(sizes, x, &table, &weights);
    let (dx, gradients) = pass.backward(&dy);
    [pass.y.cells, dx.cells].into_iter().chain(gradients).collect()
}

/// A forward pass, and what the backward pass needs of it.
pub(crate) struct Pass<'a> {
    sizes: Sizes,
    table: &'a Matrix,
    norms: [&'a [f64]; 2],
    /// q, k, v and out.
    projections: [Matrix; 4],
    /// Gate, up and down.
    mlp: [Matrix; 3],
    x: Matrix,
    normal: Matrix,
    attention: Attention,
    mixed: Matrix,
    middle: Matrix,
    normal2: Matrix,
    gate: Matrix,
    up: Matrix,
    inner: Matrix,
    pub(crate) y: Matrix,
}

impl<'a> Pass<'a> {
    /// `weights` in the specification's order.
    pub(crate) fn forward(sizes: Sizes, x: Matrix, table: &'a Matrix, weights: &[&'a [f64]]) -> Self {
        let Sizes { hidden, inner, .. } = sizes;
        let [norm1, wq, wk, wv, wo, norm2, gate, up, down] = weights[..] else {
            unreachable!("a block has {WEIGHTS} weights")
        };
        let matrix = |cells: &[f64], rows| Matrix::new(rows, cells.to_vec());
        let (query, key) = (sizes.query(), sizes.key());
        let projections = [(wq, query), (wk, key), (wv, key), (wo, hidden)].map(|(w, rows)| matrix(w, rows));
        let mlp = [(gate, inner), (up, inner), (down, hidden)].map(|(w, rows)| matrix(w, rows));

        let normal = norm(&x, norm1);
        let [q, k, v] = [0, 1, 2].map(|index| normal.times(&projections[index].transposed()));
        let [q, k] = [q, k].map(|x| turned(&x, table, sizes.width, 1.0));
        let attention = Attention { sizes, q, k, v };
        let mixed = attention.forward();
        let middle = mixed.times(&projections[3].transposed()).plus(&x);
        let normal2 = norm(&middle, norm2);
        let [gate, up] = [0, 1].map(|index| normal2.times(&mlp[index].transposed()));
        let inner = gate.with(&up, |g, u| g * logistic(g) * u);
        let y = inner.times(&mlp[2].transposed()).plus(&middle);
        Self {
            sizes,
            table,
            norms: [norm1, norm2],
            projections,
            mlp,
            x,
            normal,
            attention,
            mixed,
            middle,
            normal2,
            gate,
            up,
            inner,
            y,
        }
    }

    /// The gradient of x and those of the weights.
    pub(crate) fn backward(&self, dy: &Matrix) -> (Matrix, [Vec<f64>; WEIGHTS]) {
        let ([wq, wk, wv, wo], [gate, up, down]) = (&self.projections, &self.mlp);
        let dinner = dy.times(down);
        let ddown = dy.transposed().times(&self.inner);
        let slope = |g: f64| logistic(g) * (1.0 + g * (1.0 - logistic(g)));
        let dg = dinner
            .with(&self.up, |d, u| d * u)
            .with(&self.gate, |d, g| d * slope(g));
        let du = dinner.with(&self.gate, |d, g| d * g * logistic(g));
        let [dgate, dup] = [&dg, &du].map(|d| d.transposed().times(&self.normal2));
        let dnormal2 = dg.times(gate).plus(&du.times(up));
        let (dmiddle, dnorm2) = norm_back(&self.middle, self.norms[1], &dnormal2);
        let dmiddle = dmiddle.plus(dy);
        let dwo = dmiddle.transposed().times(&self.mixed);
        let [dq, dk, dv] = self.attention.backward(&dmiddle.times(wo));
        let [dq, dk] = [dq, dk].map(|d| turned(&d, self.table, self.sizes.width, -1.0));
        let [dwq, dwk, dwv] = [&dq, &dk, &dv].map(|d| d.transposed().times(&self.normal));
        let dnormal = dq.times(wq).plus(&dk.times(wk)).plus(&dv.times(wv));
        let (dx, dnorm1) = norm_back(&self.x, self.norms[0], &dnormal);
        let [dwq, dwk, dwv, dwo, dgate, dup, ddown] =
            [dwq, dwk, dwv, dwo, dgate, dup, ddown].map(|matrix| matrix.cells);
        let gradients = [dnorm1, dwq, dwk, dwv, dwo, dnorm2, dgate, dup, ddown];
        (dx.plus(&dmiddle), gradients)
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn scale(row: &[f64]) -> f64 {
    let mean = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
    1.0 / (mean + EPSILON).sqrt()
}

pub(crate) fn norm(x: &Matrix, weight: &[f64]) -> Matrix {
    x.by_rows(|row| {
        let scale = scale(row);
        row.iter()
            .zip(weight)
            .map(|(x, weight)| x * scale * weight)
            .collect()
    })
}

/// Gradients of the rows and of the weights.
pub(crate) fn norm_back(x: &Matrix, weight: &[f64], dy: &Matrix) -> (Matrix, Vec<f64>) {
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
