//! Outputs of exact workloads recomputed from their seed, so that a challenged record's digest can be checked.

use super::gemm::{self, gemm_f32_exact};
use super::llm::{Block, Shape, Tensors};
use super::stream::{self, Form};
use crate::digest::Sha256;
use crate::spec::Dims;

/// What recomputing a case costs, in operations, and how it is done.
struct Recipe {
    workload: &'static str,
    cost: fn(&Dims) -> Option<u64>,
    outputs: fn(&[u8; 32], &Dims) -> Option<Vec<u8>>,
}

const RECIPES: &[Recipe] = &[
    Recipe {
        workload: "mem.copy.v1",
        cost: |dims| product(dims, &["n"])?.checked_mul(8),
        outputs: |seed, dims| Some(stream::bytes(seed, "mem.copy/x", Form::F32, dim(dims, "n")?)),
    },
    Recipe {
        workload: "mem.triad.v1",
        cost: |dims| product(dims, &["n"])?.checked_mul(12),
        outputs: |seed, dims| {
            let n = dim(dims, "n")?;
            let [b, c] = ["mem.triad/b", "mem.triad/c"].map(|name| stream::f32s(seed, name, n));
            // The sum is exact in f64, so one rounding remains.
            let sum = |(b, c): (f32, f32)| ((f64::from(b) + 0.5 * f64::from(c)) as f32).to_le_bytes();
            Some(b.into_iter().zip(c).flat_map(sum).collect())
        },
    },
    Recipe {
        workload: "gemm.f32.exact.v1",
        cost: |dims| product(dims, &["m", "n", "k"])?.checked_mul(2),
        outputs: |seed, dims| {
            let [m, n, k] = [dim(dims, "m")?, dim(dims, "n")?, dim(dims, "k")?];
            let a = stream::f32s(seed, gemm::STREAMS[0], m * k);
            let b = stream::f32s(seed, gemm::STREAMS[1], n * k);
            let c = gemm_f32_exact(&a, &b, m, n, k);
            Some(c.into_iter().flat_map(f32::to_le_bytes).collect())
        },
    },
    Recipe {
        workload: "gemm.i8.v1",
        cost: |dims| product(dims, &["m", "n", "k"])?.checked_mul(2),
        outputs: |seed, dims| {
            let [m, n, k] = [dim(dims, "m")?, dim(dims, "n")?, dim(dims, "k")?];
            if k == 0 {
                return Some(vec![0; 4 * m * n]);
            }
            let a = stream::i8s(seed, "gemm.i8/a", 0, m * k);
            let b = stream::i8s(seed, "gemm.i8/b", 0, n * k);
            let cells = a
                .chunks_exact(k)
                .flat_map(|row| b.chunks_exact(k).map(move |column| dot(row, column)));
            Some(cells.flat_map(i32::to_le_bytes).collect())
        },
    },
    Recipe {
        workload: "llm.exact.v1",
        cost: |dims| Shape::of(dims).ok()?.cost(),
        outputs: |seed, dims| {
            let shape = Shape::of(dims).ok()?;
            let tensors = Tensors::draw(seed, shape);
            let y = Block { shape, tensors }.output();
            Some(y.into_iter().flat_map(f32::to_le_bytes).collect())
        },
    },
];

fn dim(dims: &Dims, name: &str) -> Option<usize> {
    usize::try_from(*dims.get(name)?).ok()
}

fn product(dims: &Dims, names: &[&str]) -> Option<u64> {
    names
        .iter()
        .try_fold(1u64, |product, name| product.checked_mul(*dims.get(*name)?))
}

fn dot(row: &[i8], column: &[i8]) -> i32 {
    row.iter()
        .zip(column)
        .map(|(&a, &b)| i32::from(a) * i32::from(b))
        .sum()
}

/// Operations of recomputing a case's outputs; none where this crate cannot.
pub fn cost(workload: &str, dims: &Dims) -> Option<u64> {
    let recipe = RECIPES.iter().find(|recipe| recipe.workload == workload)?;
    // Operands count too: a product with k = 0 costs nothing and fills memory.
    let operands = ["m", "n", "k"].iter().filter_map(|name| dims.get(*name).copied());
    let area = operands.fold(1u64, |area, side| area.saturating_mul(side.max(1)));
    (recipe.cost)(dims).map(|cost| cost.max(area))
}

/// SHA-256 over the outputs of a case from its seed, as records state it. Bound [`cost`] first.
pub fn digest(workload: &str, dims: &Dims, seed: &[u8; 32]) -> Option<Sha256> {
    let recipe = RECIPES.iter().find(|recipe| recipe.workload == workload)?;
    (recipe.outputs)(seed, dims).map(|outputs| Sha256::of(&outputs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_costs_its_operations_and_an_unknown_one_has_no_price() {
        let dims: Dims = [("m", 3), ("n", 5), ("k", 7)]
            .map(|(name, size)| (name.to_owned(), size))
            .into();
        assert_eq!(cost("gemm.i8.v1", &dims), Some(210));
        assert_eq!(cost("gemm.f16.v1", &dims), None);
        let empty: Dims = [("m", 1 << 20), ("n", 1 << 20), ("k", 0)]
            .map(|(name, size)| (name.to_owned(), size))
            .into();
        assert_eq!(cost("gemm.i8.v1", &empty), Some(1 << 40));
        assert_eq!(cost("gemm.i8.v1", &Dims::new()), None);
    }

    #[test]
    fn sizes_that_are_no_block_have_no_price_and_no_outputs() {
        let names = ["tokens", "hidden", "heads", "kv", "width", "ffn", "qkv"];
        let dims = |sizes: [u64; 7]| -> Dims { names.map(str::to_owned).into_iter().zip(sizes).collect() };
        let sound = dims([3, 8, 2, 1, 4, 5, 4]);
        assert!(cost("llm.exact.v1", &sound).is_some());
        assert_ne!(
            digest("llm.exact.v1", &sound, &[7; 32]),
            digest("llm.exact.v1", &sound, &[8; 32])
        );
        for sizes in [
            [0, 8, 2, 1, 4, 5, 4],
            [3, 8, 2, 1, 4, 5, 5],
            [3, u64::MAX, 2, 1, 4, 5, 4],
        ] {
            assert_eq!(cost("llm.exact.v1", &dims(sizes)), None, "{sizes:?}");
            assert_eq!(digest("llm.exact.v1", &dims(sizes), &[7; 32]), None, "{sizes:?}");
        }
    }

    #[test]
    fn a_product_of_one_is_its_pair() {
        let dims: Dims = [("m", 1), ("n", 1), ("k", 1)]
            .map(|(name, size)| (name.to_owned(), size))
            .into();
        let a = stream::i8s(&[7; 32], "gemm.i8/a", 0, 1)[0];
        let b = stream::i8s(&[7; 32], "gemm.i8/b", 0, 1)[0];
        let want = Sha256::of(&(i32::from(a) * i32::from(b)).to_le_bytes());
        assert_eq!(digest("gemm.i8.v1", &dims, &[7; 32]), Some(want));
    }
}
