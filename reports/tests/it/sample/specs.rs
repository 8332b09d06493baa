//! Eight specifications with two cases each; their costs are those of the real workloads.

use attest::spec::{Cache, Case, Class, Dims, Dtype, Formula, Size, Spec, Tensor, Tolerance};

pub(super) fn specs() -> Vec<Spec> {
    let gemm = |id: &str, title: &str, class, input, output, bytes: &str| {
        spec(
            id,
            title,
            "matrix",
            class,
            input,
            output,
            ("2*m*n*k", bytes),
            &["m", "n", "k"],
            [256, 1024],
        )
    };
    let rows = |id: &str, title: &str, dtype, costs| {
        spec(
            id,
            title,
            "transformer",
            Class::Float,
            dtype,
            dtype,
            costs,
            &["rows", "cols"],
            [512, 4096],
        )
    };
    let memory = |id: &str, title: &str, costs| {
        spec(
            id,
            title,
            "memory",
            Class::Exact,
            Dtype::F32,
            Dtype::F32,
            costs,
            &["n"],
            [1 << 22, 1 << 25],
        )
    };
    let (f32, f16, i8) = (Dtype::F32, Dtype::F16, Dtype::I8);
    vec![
        memory("mem.copy.v1", "Copy an array", ("0", "8*n")),
        memory(
            "mem.triad.v1",
            "Add one array to half of another",
            ("2*n", "12*n"),
        ),
        gemm(
            "gemm.f32.v1",
            "Matrix product in f32",
            Class::Float,
            f32,
            f32,
            "4*m*k+4*n*k+4*m*n",
        ),
        gemm(
            "gemm.f32.exact.v1",
            "Matrix product in f32, in fixed order",
            Class::Exact,
            f32,
            f32,
            "4*m*k+4*n*k+4*m*n",
        ),
        gemm(
            "gemm.f16.v1",
            "Matrix product in f16, summed in f32",
            Class::Float,
            f16,
            f16,
            "2*m*k+2*n*k+2*m*n",
        ),
        gemm(
            "gemm.i8.v1",
            "Matrix product in i8, summed in i32",
            Class::Exact,
            i8,
            Dtype::I32,
            "m*k+n*k+4*m*n",
        ),
        rows(
            "softmax.f32.v1",
            "Softmax of each row",
            f32,
            ("5*rows*cols", "8*rows*cols"),
        ),
        rows(
            "rmsnorm.f16.v1",
            "RMS norm of each row",
            f16,
            ("4*rows*cols", "4*rows*cols+2*cols"),
        ),
    ]
}

#[allow(clippy::too_many_arguments, reason = "a specification has this many parts")]
fn spec(
    id: &str,
    title: &str,
    group: &str,
    class: Class,
    input: Dtype,
    output: Dtype,
    costs: (&str, &str),
    names: &[&str],
    sizes: [u64; 2],
) -> Spec {
    let tensor = |name: &str, dtype| Tensor {
        name: name.to_owned(),
        dtype,
        shape: names.iter().map(ToString::to_string).collect(),
        tolerance: None,
    };
    let case = |size, dim: u64| Case {
        name: format!("{}{dim}", names[0]),
        size,
        dims: names.iter().map(|name| (name.to_string(), dim)).collect::<Dims>(),
    };
    Spec {
        id: id.to_owned(),
        title: title.to_owned(),
        group: group.to_owned(),
        class,
        cache: Cache::Cold,
        cases: vec![case(Size::Small, sizes[0]), case(Size::Standard, sizes[1])],
        inputs: vec![tensor("x", input)],
        outputs: vec![tensor("y", output)],
        flop: Formula(costs.0.to_owned()),
        bytes: Formula(costs.1.to_owned()),
        tokens: None,
        tolerance: (class == Class::Float).then(|| Tolerance {
            rel_ppt: 40_000_000,
            abs_ppt: Formula("1000".to_owned()),
            derivation: "invented for the sample".to_owned(),
        }),
    }
}
