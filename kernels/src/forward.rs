//! What references of whole networks share: products in f64 on threads of their own, and outputs that are kept, as rows of
//! one output are asked for one by one.

use std::sync::{Arc, Mutex, PoisonError};

use attest::digest::Sha256;
use attest::spec::Dims;

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

/// `f` of 0 to `count`, on threads of its own: one of rayon's that waits here would take another row of the check, which
/// waits for this one.
pub(crate) fn in_parallel<T: Send>(count: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = count.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..count)
            .step_by(part)
            .map(|start| {
                let f = &f;
                scope.spawn(move || (start..count.min(start + part)).map(f).collect::<Vec<T>>())
            })
            .collect();
        { parts.into_iter() }
            .flat_map(|part| part.join().expect("a part of the reference"))
            .collect()
    })
}

/// The outputs of the last inputs.
static LAST: Mutex<Option<(Sha256, Arc<Vec<f64>>)>> = Mutex::new(None);

/// `compute`, or what it gave for the same sizes and inputs the last time.
pub(crate) fn once(dims: &Dims, inputs: &[&[u8]], compute: impl FnOnce() -> Vec<f64>) -> Arc<Vec<f64>> {
    let sizes: Vec<u8> = dims.values().flat_map(|size| size.to_le_bytes()).collect();
    let digests: Vec<Sha256> = inputs.iter().map(|input| Sha256::of(input)).collect();
    let parts: Vec<&[u8]> = digests
        .iter()
        .map(|digest| &digest.0[..])
        .chain([&sizes[..]])
        .collect();
    let identity = Sha256::of_parts(&parts);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some((known, outputs)) if *known == identity => Arc::clone(outputs),
        _ => {
            let outputs = Arc::new(compute());
            *last = Some((identity, Arc::clone(&outputs)));
            outputs
        }
    }
}
