//! NVIDIA's matrix library cuBLASLt, opened at run time where it is installed: the vendor path of matrix products.
//!
//! f32 stays f32: `COMPUTE_32F` uses no TF32, which only products of that name ask for. Sums are never kept in a narrower
//! type: algorithms that reduce parts in the type of the output are left out.

#![allow(unsafe_code, reason = "the library is C and is opened at run time")]

mod found;

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use cudarc::cublaslt::sys::{cublasLtMatmulAlgo_t as Algo, cublasLtMatmulHeuristicResult_t as Heuristic};
use cudarc::driver::DriverError;
use cudarc::driver::sys::CUstream;
use libloading::Library;

use super::vendor::{Matrix, Product, Types};

type Status = c_int;
type Pointer = *mut c_void;
type Create = unsafe extern "C" fn(*mut Pointer) -> Status;
type Destroy = unsafe extern "C" fn(Pointer) -> Status;
/// compute type, type of the scalars
type Describe = unsafe extern "C" fn(*mut Pointer, c_int, c_int) -> Status;
/// type, rows, columns, leading dimension
type Layout = unsafe extern "C" fn(*mut Pointer, c_int, u64, u64, i64) -> Status;
/// of what, attribute, value, its bytes
type Set = unsafe extern "C" fn(Pointer, c_int, *const c_void, usize) -> Status;
/// handle, description, layouts of A, B, C and D, preference, most, results, how many
type Search = unsafe extern "C" fn(
    Pointer,
    Pointer,
    Pointer,
    Pointer,
    Pointer,
    Pointer,
    Pointer,
    c_int,
    *mut Heuristic,
    *mut c_int,
) -> Status;
/// algorithm, attribute, value, its bytes, bytes written
type Config = unsafe extern "C" fn(*const Algo, c_int, *mut c_void, usize, *mut usize) -> Status;
/// handle, description, alpha, A, layout, B, layout, beta, C, layout, D, layout, algorithm, workspace, its bytes, stream
type Multiply = unsafe extern "C" fn(
    Pointer,
    Pointer,
    *const c_void,
    *const c_void,
    Pointer,
    *const c_void,
    Pointer,
    *const c_void,
    *const c_void,
    Pointer,
    Pointer,
    Pointer,
    *const Algo,
    Pointer,
    usize,
    CUstream,
) -> Status;

#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum LibraryError {
    #[error("cuBLASLt is not installed: {0}")]
    Absent(String),
    #[error("{function} returned status {status}")]
    Status { function: &'static str, status: Status },
    #[error("cuBLASLt {version} has no algorithm for this product")]
    NoAlgorithm { version: String },
    #[error("{0}")]
    Driver(DriverError),
}

impl From<DriverError> for LibraryError {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}

/// The library's functions.
pub(super) struct CublasLt {
    pub(super) version: String,
    create: Create,
    destroy: Destroy,
    describe: Describe,
    set_description: Set,
    forget_description: Destroy,
    layout: Layout,
    forget_layout: Destroy,
    prefer: Create,
    set_preference: Set,
    forget_preference: Destroy,
    search: Search,
    config: Config,
    multiply: Multiply,
    _library: Library,
}

/// `cublasStatus_t`: no algorithm takes the product.
const NOT_SUPPORTED: Status = 15;

impl CublasLt {
    /// The library of this process, opened at first use.
    pub(super) fn get() -> Result<&'static Self, LibraryError> {
        static OPENED: OnceLock<Result<CublasLt, LibraryError>> = OnceLock::new();
        OPENED.get_or_init(Self::open).as_ref().map_err(Clone::clone)
    }

    fn open() -> Result<Self, LibraryError> {
        let library = found::open()?;
        // SAFETY: the types are those of cublasLt.h, versions 11 to 13.
        unsafe {
            let version: unsafe extern "C" fn() -> usize = symbol(&library, "cublasLtGetVersion")?;
            let version = version();
            Ok(Self {
                // 120_103 is 12.1.3; 13 counts the same way.
                version: format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100),
                create: symbol(&library, "cublasLtCreate")?,
                destroy: symbol(&library, "cublasLtDestroy")?,
                describe: symbol(&library, "cublasLtMatmulDescCreate")?,
                set_description: symbol(&library, "cublasLtMatmulDescSetAttribute")?,
                forget_description: symbol(&library, "cublasLtMatmulDescDestroy")?,
                layout: symbol(&library, "cublasLtMatrixLayoutCreate")?,
                forget_layout: symbol(&library, "cublasLtMatrixLayoutDestroy")?,
                prefer: symbol(&library, "cublasLtMatmulPreferenceCreate")?,
                set_preference: symbol(&library, "cublasLtMatmulPreferenceSetAttribute")?,
                forget_preference: symbol(&library, "cublasLtMatmulPreferenceDestroy")?,
                search: symbol(&library, "cublasLtMatmulAlgoGetHeuristic")?,
                config: symbol(&library, "cublasLtMatmulAlgoConfigGetAttribute")?,
                multiply: symbol(&library, "cublasLtMatmul")?,
                _library: library,
            })
        }
    }
}

/// # Safety
/// `F` is the type of the function called `name`.
unsafe fn symbol<F: Copy>(library: &Library, name: &str) -> Result<F, LibraryError> {
    // SAFETY: the caller vouches for the type.
    let found = unsafe { library.get::<F>(name) };
    found
        .map(|symbol| *symbol)
        .map_err(|error| LibraryError::Absent(error.to_string()))
}

fn check(function: &'static str, status: Status) -> Result<(), LibraryError> {
    match status {
        0 => Ok(()),
        status => Err(LibraryError::Status { function, status }),
    }
}

/// Something that the library made and takes back.
struct Owned {
    pointer: Pointer,
    forget: Destroy,
}

impl Owned {
    fn new(
        function: &'static str,
        forget: Destroy,
        make: impl FnOnce(*mut Pointer) -> Status,
    ) -> Result<Self, LibraryError> {
        let mut pointer = std::ptr::null_mut();
        check(function, make(&raw mut pointer))?;
        Ok(Self { pointer, forget })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the library made it, and it is not used again.
        unsafe { (self.forget)(self.pointer) };
    }
}

/// A product in the library's terms, on the context that was current when it was made.
pub(super) struct Prepared {
    library: &'static CublasLt,
    handle: Owned,
    description: Owned,
    /// Of the library's A, B and result.
    layouts: [Owned; 3],
    types: Types,
}

/// One way to compute a product.
#[derive(Clone, Copy)]
pub(super) struct Algorithm(Algo);

/// Memory that algorithms may use meanwhile.
#[derive(Clone, Copy)]
pub(super) struct Workspace {
    pub(super) address: u64,
    pub(super) bytes: usize,
}

impl Prepared {
    /// The context must be current on this thread.
    pub(super) fn new(library: &'static CublasLt, product: &Product) -> Result<Self, LibraryError> {
        let types = product.types;
        // SAFETY: the pointers are of what receives them, for the time of each call.
        unsafe {
            let handle = Owned::new("cublasLtCreate", library.destroy, |to| (library.create)(to))?;
            let description = Owned::new("cublasLtMatmulDescCreate", library.forget_description, |to| {
                (library.describe)(to, types.compute, types.scalar)
            })?;
            // The first operand is read transposed, the second is not: CUBLASLT_MATMUL_DESC_TRANSA and TRANSB.
            for (attribute, transposed) in [(3, 1i32), (4, 0)] {
                let value = (&raw const transposed).cast();
                let status = (library.set_description)(description.pointer, attribute, value, 4);
                check("cublasLtMatmulDescSetAttribute", status)?;
            }
            let layout = |matrix: Matrix, dtype: c_int| {
                Owned::new("cublasLtMatrixLayoutCreate", library.forget_layout, |to| {
                    (library.layout)(to, dtype, matrix.rows, matrix.columns, matrix.rows.cast_signed())
                })
            };
            let layouts = [
                layout(product.first, types.input)?,
                layout(product.second, types.input)?,
                layout(product.result, types.output)?,
            ];
            Ok(Self {
                library,
                handle,
                description,
                layouts,
                types,
            })
        }
    }

    /// At most `most` algorithms, those first that the library expects to be fastest.
    pub(super) fn algorithms(
        &self,
        most: usize,
        workspace_bytes: usize,
    ) -> Result<Vec<Algorithm>, LibraryError> {
        // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, and _REDUCTION_SCHEME_MASK: in place or in the type of the sums.
        const MAX_WORKSPACE: c_int = 1;
        const REDUCTION_SCHEMES: c_int = 3;
        let (library, schemes) = (self.library, 3u32);
        let mut found: Vec<Heuristic> = Vec::with_capacity(most);
        let mut count: c_int = 0;
        // SAFETY: the pointers are of what receives them, for the time of each call, and `found` has room for `most`, of
        // which the library writes the first `count`.
        let status = unsafe {
            let preference = Owned::new(
                "cublasLtMatmulPreferenceCreate",
                library.forget_preference,
                |to| (library.prefer)(to),
            )?;
            for (attribute, value, bytes) in [
                (
                    MAX_WORKSPACE,
                    (&raw const workspace_bytes).cast(),
                    size_of::<usize>(),
                ),
                (REDUCTION_SCHEMES, (&raw const schemes).cast(), size_of::<u32>()),
            ] {
                let status = (library.set_preference)(preference.pointer, attribute, value, bytes);
                check("cublasLtMatmulPreferenceSetAttribute", status)?;
            }
            let [first, second, result] = self.layouts.each_ref().map(|layout| layout.pointer);
            let status = (library.search)(
                self.handle.pointer,
                self.description.pointer,
                first,
                second,
                result,
                result,
                preference.pointer,
                most as c_int,
                found.as_mut_ptr(),
                &raw mut count,
            );
            if status == 0 {
                found.set_len((count.max(0) as usize).min(most));
            }
            status
        };
        if status != NOT_SUPPORTED {
            check("cublasLtMatmulAlgoGetHeuristic", status)?;
        }
        let sound = found.iter().filter(|found| found.state as Status == 0);
        let algorithms: Vec<_> = sound.map(|found| Algorithm(found.algo)).collect();
        match algorithms.is_empty() {
            true => Err(LibraryError::NoAlgorithm {
                version: library.version.clone(),
            }),
            false => Ok(algorithms),
        }
    }

    /// Queues one product. `operands` are the addresses of the library's A, B and result.
    pub(super) fn multiply(
        &self,
        algorithm: &Algorithm,
        operands: [u64; 3],
        workspace: Workspace,
        stream: CUstream,
    ) -> Result<(), LibraryError> {
        /// 0 as f32 and as i32.
        static ZERO: u32 = 0;
        let [first, second, result] = self.layouts.each_ref().map(|layout| layout.pointer);
        // SAFETY: the addresses are of buffers with the sizes of the layouts, which outlive the work, and the library copies
        // the scalars.
        let status = unsafe {
            (self.library.multiply)(
                self.handle.pointer,
                self.description.pointer,
                (&raw const self.types.one).cast(),
                operands[0] as *const c_void,
                first,
                operands[1] as *const c_void,
                second,
                (&raw const ZERO).cast(),
                operands[2] as *const c_void,
                result,
                operands[2] as Pointer,
                result,
                &raw const algorithm.0,
                workspace.address as Pointer,
                workspace.bytes,
                stream,
            )
        };
        check("cublasLtMatmul", status)
    }

    /// The numbers by which the library knows an algorithm: `cublasLtMatmulAlgoConfigAttributes_t`.
    pub(super) fn name(&self, algorithm: &Algorithm) -> String {
        let names = [("algorithm", 0), ("tile", 1), ("stages", 6), ("split-k", 2)];
        let told = names.into_iter().filter_map(|(name, attribute)| {
            let (mut value, mut written) = (0u32, 0);
            let to = (&raw mut value).cast();
            // SAFETY: the value has the four bytes that are given.
            let status =
                unsafe { (self.library.config)(&raw const algorithm.0, attribute, to, 4, &raw mut written) };
            (status == 0).then(|| format!("{name} {value}"))
        });
        told.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn version(&self) -> &str {
        &self.library.version
    }
}
