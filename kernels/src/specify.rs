//! Short words for writing specifications.

use attest::spec::{Case, Dims, Dtype, Formula, Size, Tensor, Tolerance};

pub(crate) fn case(name: &str, size: Size, dims: &[(&str, u64)]) -> Case {
    Case {
        name: name.into(),
        size,
        dims: dims_of(dims),
    }
}

pub(crate) fn dims_of(dims: &[(&str, u64)]) -> Dims {
    dims.iter().map(|&(name, size)| (name.to_owned(), size)).collect()
}

pub(crate) fn tensor(name: &str, dtype: Dtype, shape: &[&str]) -> Tensor {
    Tensor {
        name: name.into(),
        dtype,
        shape: shape.iter().map(|&dim| dim.to_owned()).collect(),
        tolerance: None,
    }
}

/// An output of a scale of its own: see [`Tensor::tolerance`].
pub(crate) fn output_within(tolerance: Tolerance, output: Tensor) -> Tensor {
    Tensor {
        tolerance: Some(tolerance),
        ..output
    }
}

pub(crate) fn formula(text: &str) -> Formula {
    Formula(text.into())
}

/// Dimensions of those names at each of the sizes.
pub(crate) fn sizes<const N: usize>(names: [&str; N], list: &[[u64; N]]) -> Vec<Dims> {
    let dims = |sizes: &[u64; N]| names.map(str::to_owned).into_iter().zip(*sizes).collect();
    list.iter().map(dims).collect()
}

/// Odd sizes of matrix products.
pub(crate) fn odd_matrices() -> Vec<Dims> {
    let list = [
        [1, 1, 1],
        [1, 1, 257],
        [2, 3, 1],
        [6, 16, 8],
        [7, 13, 5],
        [17, 31, 29],
        [64, 64, 64],
        [65, 129, 33],
        [97, 101, 103],
        [128, 1, 64],
        [1, 130, 7],
        [5, 17, 1025],
        [257, 130, 515],
    ];
    sizes(["m", "n", "k"], &list)
}

/// Odd sizes of arrays.
pub(crate) fn odd_vectors() -> Vec<Dims> {
    let list = [1, 2, 3, 5, 17, 255, 257, 1021, 4099, 65_536, 65_537, 1_048_583];
    sizes(["n"], &list.map(|n| [n]))
}

/// Odd sizes of rows that are worked on one by one.
pub(crate) fn odd_rows() -> Vec<Dims> {
    let list = [
        [1, 1],
        [1, 257],
        [3, 7],
        [5, 1021],
        [13, 1024],
        [2, 4099],
        [257, 3],
        [1031, 1],
        [1, 128_256],
    ];
    sizes(["rows", "cols"], &list)
}
