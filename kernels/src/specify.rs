//! Short words for writing specifications.

use attest::spec::{Case, Dims, Dtype, Formula, Size, Tensor};

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
    }
}

pub(crate) fn formula(text: &str) -> Formula {
    Formula(text.into())
}
