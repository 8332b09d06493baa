//! The vendor path: matrix products by cuBLASLt, with the fastest of the algorithms that it offers.

use std::ffi::c_int;
use std::rc::Rc;

use attest::spec::{Class, Dims, Dtype, Spec};
use attest::statement::Library;

use super::card::Opened;
use super::cublaslt::{Algorithm, CublasLt, LibraryError, Prepared, Workspace};
use super::gate::LEAD;
use crate::workload::{Plan, Target, dim};

/// What NVIDIA advises for Hopper (cuBLAS, `cublasSetWorkspace`); of small memory a 32nd part.
const WORKSPACE_BYTES: u64 = 32 << 20;

/// Algorithms that are tried.
const MOST_ALGORITHMS: usize = 8;

/// Time of one sample of an algorithm, and samples of each.
const SAMPLE_NS: u64 = 2_000_000;
const SAMPLES: usize = 3;

/// Whether the library has what a specification defines. Products that round every step have no peer: no library promises
/// an order.
pub(crate) fn multiplies(spec: &Spec) -> bool {
    let dims = spec
        .cases
        .first()
        .map(|case| case.dims.keys().map(String::as_str));
    let is_product = dims.is_some_and(|dims| dims.eq(["k", "m", "n"])) && spec.inputs.len() == 2;
    let rounds_each_step = spec.class == Class::Exact && spec.inputs[0].dtype == Dtype::F32;
    is_product && !rounds_each_step && Types::of(spec).is_some()
}

/// What the library calls our types: `cudaDataType_t` of the operands, the result and the scalars, `cublasComputeType_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types {
    pub(super) input: c_int,
    pub(super) output: c_int,
    pub(super) scalar: c_int,
    pub(super) compute: c_int,
    /// 1 in the type of the scalars.
    pub(super) one: u32,
}

impl Types {
    /// What is multiplied: the type of the operands, or TF32 where the specification says that f32 hold it.
    pub(super) fn name(spec: &Spec) -> String {
        match spec.id.contains(".tf32.") {
            true => "TF32".into(),
            false => format!("{:?}", spec.inputs[0].dtype),
        }
    }

    fn of(spec: &Spec) -> Option<Self> {
        const R_32F: c_int = 0;
        const R_32I: c_int = 10;
        const COMPUTE_32F: c_int = 68;
        const COMPUTE_32I: c_int = 72;
        const COMPUTE_32F_FAST_TF32: c_int = 77;
        let data = |dtype: Dtype| match dtype {
            Dtype::F32 => Some(R_32F),
            Dtype::F16 => Some(2),
            Dtype::I8 => Some(3),
            Dtype::I32 => Some(R_32I),
            Dtype::Bf16 => Some(14),
            Dtype::Fp8E4m3 => Some(28),
            Dtype::Q4 => None,
        };
        let input = spec.inputs[0].dtype;
        let (scalar, compute, one) = match input {
            Dtype::I8 => (R_32I, COMPUTE_32I, 1),
            Dtype::F32 if Self::name(spec) == "TF32" => (R_32F, COMPUTE_32F_FAST_TF32, 1.0f32.to_bits()),
            _ => (R_32F, COMPUTE_32F, 1.0f32.to_bits()),
        };
        Some(Self {
            input: data(input)?,
            output: data(spec.outputs[0].dtype)?,
            scalar,
            compute,
            one,
        })
    }
}

/// A matrix whose columns stand one behind the other: the leading dimension is its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matrix {
    pub(super) rows: u64,
    pub(super) columns: u64,
}

/// A product in the library's terms, which thinks in columns: our row-major C is its transpose, C^T = B A^T. Read by columns,
/// B is k by n and is to be transposed, A is k by m and is not: the one arrangement that fp8 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Product {
    /// Our B.
    pub(super) first: Matrix,
    /// Our A.
    pub(super) second: Matrix,
    pub(super) result: Matrix,
    pub(super) types: Types,
}

impl Product {
    fn of(spec: &Spec, dims: &Dims) -> Option<Self> {
        let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name) as u64);
        let matrix = |rows, columns| Matrix { rows, columns };
        Some(Self {
            first: matrix(k, n),
            second: matrix(k, m),
            result: matrix(n, m),
            types: Types::of(spec)?,
        })
    }
}

/// A plan without launches of ours, with the library's workspace; or why there is none.
pub(super) fn plan(spec: &Spec, dims: &Dims, target: Target, memory_bytes: u64) -> Result<Plan, String> {
    if let Some(reason) = refusal(spec, dims, target) {
        return Err(reason);
    }
    CublasLt::get().map_err(|error| error.to_string())?;
    Ok(Plan {
        scratch: vec![WORKSPACE_BYTES.min(memory_bytes / 32)],
        launches: vec![],
    })
}

/// What the library's documentation excludes.
fn refusal(spec: &Spec, dims: &Dims, target: Target) -> Option<String> {
    const ADA: u32 = 89;
    const WORD: usize = 16;
    if !multiplies(spec) {
        return Some(format!("cuBLASLt has no {}", spec.id));
    }
    if spec.inputs[0].dtype != Dtype::Fp8E4m3 {
        return None;
    }
    if target.capability < ADA {
        return Some(format!(
            "cuBLASLt multiplies fp8 from compute capability 8.9 on; this device has {}.{}",
            target.capability / 10,
            target.capability % 10
        ));
    }
    let sizes = ["m", "n", "k"].map(|name| (name, dim(dims, name)));
    let (name, size) = sizes.into_iter().find(|(_, size)| !size.is_multiple_of(WORD))?;
    Some(format!(
        "cuBLASLt multiplies fp8 of sizes that are multiples of {WORD}; {name} is {size}"
    ))
}

/// A product with the algorithm that was fastest on this card.
pub(super) struct Chosen {
    prepared: Prepared,
    algorithm: Algorithm,
    pub(super) library: Library,
}

/// One product that is queued again and again.
pub(super) struct Step {
    pub(super) chosen: Rc<Chosen>,
    pub(super) operands: [u64; 3],
    pub(super) workspace: Workspace,
}

impl Step {
    pub(super) fn queue(&self, opened: &Opened) -> Result<(), LibraryError> {
        let Chosen {
            prepared, algorithm, ..
        } = &*self.chosen;
        prepared.multiply(
            algorithm,
            self.operands,
            self.workspace,
            opened.stream.cu_stream(),
        )
    }
}

/// Times the algorithms that the library offers on the buffers given, and keeps the fastest.
pub(super) fn choose(
    opened: &Opened,
    spec: &Spec,
    dims: &Dims,
    operands: [u64; 3],
    workspace: Workspace,
) -> Result<Chosen, LibraryError> {
    let library = CublasLt::get()?;
    opened.context.bind_to_thread()?;
    let none = || LibraryError::NoAlgorithm {
        version: library.version.clone(),
    };
    let product = Product::of(spec, dims).ok_or_else(none)?;
    let prepared = Prepared::new(library, &product)?;
    let algorithms = prepared.algorithms(MOST_ALGORITHMS, workspace.bytes)?;
    let multiply =
        |algorithm: &Algorithm| prepared.multiply(algorithm, operands, workspace, opened.stream.cu_stream());
    // One that fails to run is none to choose; a card that fails fails every one.
    let times: Vec<_> = { algorithms.iter() }
        .map(|algorithm| samples(opened, || multiply(algorithm)).ok())
        .collect();
    let fastest = fastest(&times).ok_or_else(none)?;
    let algorithm = algorithms[fastest];
    let library = Library {
        name: "cuBLASLt".to_owned(),
        version: prepared.version().to_owned(),
        algorithm: format!(
            "{}; fastest of {}",
            prepared.name(&algorithm),
            times.iter().flatten().count()
        ),
    };
    Ok(Chosen {
        prepared,
        algorithm,
        library,
    })
}

/// Picoseconds of one launch, some times over. The first launch loads the kernel and does not count.
fn samples(
    opened: &Opened,
    launch: impl Fn() -> Result<(), LibraryError>,
) -> Result<[u64; SAMPLES], LibraryError> {
    launch()?;
    opened.stream.synchronize()?;
    let time = |launches: u64| opened.time(launches, LEAD, |_| launch());
    let one = time(1)?.device_ns.max(1);
    let launches = (SAMPLE_NS / one).clamp(1, LEAD);
    let mut samples = [0; SAMPLES];
    for sample in &mut samples {
        *sample = time(launches)?.device_ns * 1000 / launches;
    }
    Ok(samples)
}

/// The one with the least median, the library's order deciding between equals.
fn fastest(times: &[Option<[u64; SAMPLES]>]) -> Option<usize> {
    let median = |mut samples: [u64; SAMPLES]| {
        samples.sort_unstable();
        samples[SAMPLES / 2]
    };
    let medians = times.iter().enumerate();
    let medians = medians.filter_map(|(index, samples)| Some((median((*samples)?), index)));
    medians.min().map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use attest::statement::Api;

    use super::*;
    use crate::catalogue::{WORKLOADS, find};
    use crate::specify::dims_of;

    fn spec(id: &str) -> &'static Spec {
        find(id).expect("in the catalogue").spec
    }

    fn card(capability: u32) -> Target {
        Target {
            api: Api::Cuda,
            software: false,
            packed_dot: false,
            capability,
        }
    }

    #[test]
    fn plain_products_have_the_path_and_nothing_else_has() {
        let specs = WORKLOADS.iter().map(|workload| &**workload.spec);
        let ids: Vec<&str> = specs
            .filter(|spec| multiplies(spec))
            .map(|spec| &*spec.id)
            .collect();
        let want = ["f32", "tf32", "f16", "bf16", "fp8", "i8"].map(|dtype| format!("gemm.{dtype}.v1"));
        assert_eq!(ids, want);
    }

    #[test]
    fn a_row_major_product_is_the_transposed_one_by_columns() {
        let dims = dims_of(&[("m", 2), ("n", 3), ("k", 5)]);
        let product = Product::of(spec("gemm.i8.v1"), &dims).expect("i8");
        let sizes = |matrix: Matrix| (matrix.rows, matrix.columns);
        assert_eq!(
            [product.first, product.second, product.result].map(sizes),
            [(5, 3), (5, 2), (3, 2)]
        );
        // cudaDataType_t and cublasComputeType_t of library_types.h and cublas_api.h.
        let types = |id: &str| {
            let types = Types::of(spec(id)).expect("a type");
            (types.input, types.output, types.scalar, types.compute)
        };
        assert_eq!(types("gemm.i8.v1"), (3, 10, 10, 72));
        assert_eq!(types("gemm.f32.v1"), (0, 0, 0, 68));
        assert_eq!(types("gemm.tf32.v1"), (0, 0, 0, 77));
        assert_eq!(types("gemm.fp8.v1"), (28, 14, 0, 68));
    }

    #[test]
    fn fp8_is_refused_in_words_where_the_library_has_none() {
        let dims = |k| dims_of(&[("m", 16), ("n", 32), ("k", k)]);
        let fp8 = spec("gemm.fp8.v1");
        let reason = refusal(fp8, &dims(16), card(80)).expect("too old");
        assert!(reason.contains("8.9") && reason.contains("has 8.0"), "{reason}");
        let reason = refusal(fp8, &dims(17), card(90)).expect("odd");
        assert!(reason.contains("multiples of 16; k is 17"), "{reason}");
        assert_eq!(refusal(fp8, &dims(48), card(89)), None);
        assert_eq!(refusal(spec("gemm.f16.v1"), &dims(17), card(70)), None);
        assert!(refusal(spec("gemm.f32.exact.v1"), &dims(16), card(90)).is_some());
    }

    #[test]
    fn the_fastest_by_its_median_is_kept_and_what_failed_is_not() {
        let times = [Some([9, 9, 9]), None, Some([1, 8, 30]), Some([8, 7, 8])];
        assert_eq!(fastest(&times), Some(2));
        assert_eq!(fastest(&[None, Some([5, 5, 5])]), Some(1));
        assert_eq!(fastest(&[None, None]), None);
        assert_eq!(fastest(&[]), None);
    }
}
