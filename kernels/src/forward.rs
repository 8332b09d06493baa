//! What references of whole networks share: products and attention in f64.

use rayon::prelude::*;

use crate::wide::wide;

/// Rows of activations, one a token.
pub(crate) type Rows = Vec<Vec<f64>>;

/// Every row of `x` times the transposed matrix whose rows `row` gives.
pub(crate) fn product(x: &Rows, rows: usize, row: impl Fn(usize) -> Vec<f64> + Sync) -> Rows {
    let columns = in_parallel(rows, |index| {
        let w = row(index);
        x.iter().map(|x| dot(x, &w)).collect::<Vec<f64>>()
    });
    let of = |token: usize| columns.iter().map(|column| column[token]).collect();
    (0..x.len()).map(of).collect()
}

/// Attention of one query to some keys: their values weighted by the softmax of the scores.
pub(crate) fn attended<'a>(
    q: &[f64],
    keys: impl Iterator<Item = &'a [f64]>,
    values: impl Iterator<Item = &'a [f64]>,
) -> Vec<f64> {
    let scores: Vec<f64> = keys.map(|k| dot(q, k) / (q.len() as f64).sqrt()).collect();
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let mut o = vec![0.0; q.len()];
    for (weight, v) in weights.iter().zip(values) {
        o.iter_mut().zip(v).for_each(|(o, v)| *o += weight / sum * v);
    }
    o
}

wide! {
    pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
        const LANES: usize = 16;
        let mut lanes = [0.0f64; LANES];
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                lanes[lane] += a[lane] * b[lane];
            }
        }
        let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
        lanes.iter().sum::<f64>() + rest
    }
}

/// `f` of 0 to `count`, in parallel.
pub(crate) fn in_parallel<T: Send>(count: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    (0..count).into_par_iter().map(&f).collect()
}
