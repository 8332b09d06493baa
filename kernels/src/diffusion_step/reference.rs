//! The authority for `diffusion.step.v1`: the pass in f64, from inputs as they are stored, nothing narrowed in between.

use attest::spec::Dims;

use super::Network;
use super::stages::{
    CONDITIONING, DOWN, GATE, KEY, MODULATION, MODULATION_BIAS, OUT, QUERY, SHIFT, UP, VALUE, X,
};
use crate::elements::f16s;
use crate::forward::{Rows, attended, dot, in_parallel, product};
use crate::modulate::{EPSILON, VECTORS};

pub(super) fn outputs(dims: &Dims, inputs: &[&[u8]]) -> Vec<Vec<f64>> {
    let network = Network::of(dims);
    vec![Pass { network, inputs }.output().concat()]
}

struct Pass<'a> {
    network: Network,
    inputs: &'a [&'a [u8]],
}

impl Pass<'_> {
    fn output(&self) -> Rows {
        let Network {
            blocks,
            batch,
            hidden,
            ..
        } = self.network;
        let rows = |tensor, count| -> Rows { (0..count).map(|row| self.row(tensor, row, hidden)).collect() };
        let mut active = rows(CONDITIONING, batch);
        active.iter_mut().flatten().for_each(|c| *c /= 1.0 + (-*c).exp());
        let x = rows(X, self.network.rows());
        (0..blocks).fold(x, |x, block| self.block(block, x, &active))
    }

    fn block(&self, block: usize, x: Rows, active: &Rows) -> Rows {
        let Network { hidden, ffn, .. } = self.network;
        let mut vectors = self.product(MODULATION, block, VECTORS * hidden, active);
        let bias = self.row(MODULATION_BIAS, block, VECTORS * hidden);
        for vectors in &mut vectors {
            vectors
                .iter_mut()
                .zip(&bias)
                .for_each(|(vector, bias)| *vector += bias);
        }
        let h = self.modulated(&x, &vectors, 0);
        let [q, k, v] = [QUERY, KEY, VALUE].map(|tensor| self.product(tensor, block, hidden, &h));
        let branch = self.product(OUT, block, hidden, &self.attention(&q, &k, &v));
        let x = self.joined(x, &branch, &vectors, 0);
        let mut wide = self.product(UP, block, ffn, &self.modulated(&x, &vectors, 1));
        wide.iter_mut().flatten().for_each(|x| *x = gelu(*x));
        let branch = self.product(DOWN, block, hidden, &wide);
        self.joined(x, &branch, &vectors, 1)
    }

    fn modulated(&self, x: &Rows, vectors: &Rows, branch: usize) -> Rows {
        let modulated = |(row, x): (usize, &Vec<f64>)| {
            let [shift, scale] = [0, 1].map(|next| self.vector(vectors, row, SHIFT[branch] + next));
            let x = normal(x).into_iter().zip(shift.iter().zip(scale));
            x.map(|(x, (shift, scale))| x * (1.0 + scale) + shift).collect()
        };
        x.iter().enumerate().map(modulated).collect()
    }

    fn joined(&self, mut x: Rows, branch: &Rows, vectors: &Rows, which: usize) -> Rows {
        for (row, (x, branch)) in x.iter_mut().zip(branch).enumerate() {
            let gate = self.vector(vectors, row, GATE[which]);
            let added = branch.iter().zip(gate).map(|(branch, gate)| gate * branch);
            x.iter_mut().zip(added).for_each(|(x, added)| *x += added);
        }
        x
    }

    /// One of the six vectors of the sample that a row belongs to.
    fn vector<'v>(&self, vectors: &'v Rows, row: usize, vector: usize) -> &'v [f64] {
        &vectors[row / self.network.tokens][vector * self.network.hidden..][..self.network.hidden]
    }

    fn attention(&self, q: &Rows, k: &Rows, v: &Rows) -> Rows {
        let Network {
            tokens, heads, head, ..
        } = self.network;
        let one = |row: usize, index: usize| {
            let at = index * head..(index + 1) * head;
            let sample = row / tokens * tokens..(row / tokens + 1) * tokens;
            let [keys, values] = [k, v].map(|rows| rows[sample.clone()].iter().map(|row| &row[at.clone()]));
            attended(&q[row][at.clone()], keys, values)
        };
        in_parallel(q.len(), |row| {
            (0..heads).flat_map(|index| one(row, index)).collect()
        })
    }

    /// Every row of `x` times the transposed matrix of `rows` rows that a block has.
    fn product(&self, tensor: usize, block: usize, rows: usize, x: &Rows) -> Rows {
        product(x, rows, |row| self.row(tensor, block * rows + row, x[0].len()))
    }

    fn row(&self, tensor: usize, row: usize, width: usize) -> Vec<f64> {
        f16s(self.inputs[tensor], row * width..(row + 1) * width)
            .map(f64::from)
            .collect()
    }
}

/// Layer norm without weights.
fn normal(x: &[f64]) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let rest: Vec<f64> = x.iter().map(|x| x - mean).collect();
    let variance = dot(&rest, &rest) / x.len() as f64;
    rest.iter()
        .map(|rest| rest / (variance + EPSILON).sqrt())
        .collect()
}

/// The form of `gelu.f16.v1`.
fn gelu(x: f64) -> f64 {
    let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
    0.5 * x * (1.0 + u.tanh())
}
