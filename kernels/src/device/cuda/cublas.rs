//! NVIDIA's matrix library, opened at run time where it is installed: the peer of our own products.
//!
//! f32 stays f32: `COMPUTE_32F` under the default math mode uses no TF32, which only products of that name ask for.

#![allow(unsafe_code, reason = "the library is C and is opened at run time")]

use std::ffi::{c_int, c_void};
use std::fs;
use std::path::{Path, PathBuf};

use attest::spec::{Dtype, Spec};
use cudarc::driver::DriverError;
use cudarc::driver::sys::CUstream;
use libloading::Library;

/// Names by version; the calls in use are the same in all three.
const NAMES: [&str; 3] = ["libcublas.so.13", "libcublas.so.12", "libcublas.so"];

/// Names a library to use in place of those found.
const OVERRIDE: &str = "HALLMARK_CUBLAS";

type Handle = *mut c_void;
type Status = c_int;
type Create = unsafe extern "C" fn(*mut Handle) -> Status;
type Destroy = unsafe extern "C" fn(Handle) -> Status;
type SetStream = unsafe extern "C" fn(Handle, CUstream) -> Status;
type Version = unsafe extern "C" fn(Handle, *mut c_int) -> Status;
/// handle, op(A), op(B), m, n, k, alpha, A, type, ld, B, type, ld, beta, C, type, ld, compute type, algorithm
type GemmEx = unsafe extern "C" fn(
    Handle,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    *const c_void,
    *const c_void,
    c_int,
    c_int,
    *const c_void,
    c_int,
    c_int,
    *const c_void,
    *mut c_void,
    c_int,
    c_int,
    c_int,
    c_int,
) -> Status;

/// `cublasOperation_t`
const NOT_TRANSPOSED: c_int = 0;
const TRANSPOSED: c_int = 1;
/// `cublasGemmAlgo_t`: the library's own choice.
const DEFAULT_ALGORITHM: c_int = -1;

#[derive(Debug, thiserror::Error)]
pub(super) enum CublasError {
    #[error("cuBLAS is not installed: {0}")]
    Absent(String),
    #[error("{function} returned status {status}")]
    Status { function: &'static str, status: Status },
    #[error("cuBLAS has no product of {0:?}")]
    Unsupported(Dtype),
    #[error("a dimension of {0} is past the 2^31-1 cuBLAS takes")]
    TooLarge(u64),
    #[error("{0}")]
    Driver(DriverError),
}

impl From<DriverError> for CublasError {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}

/// A handle on the current context, working on one stream.
pub(super) struct Cublas {
    handle: Handle,
    destroy: Destroy,
    gemm: GemmEx,
    pub(super) version: String,
    _library: Library,
}

/// Device addresses and sizes of C = A * transpose(B), all row-major.
pub(super) struct Product {
    pub(super) a: u64,
    pub(super) b: u64,
    pub(super) c: u64,
    pub(super) sizes: [c_int; 3],
    pub(super) types: Types,
}

/// What the library calls our types: `cudaDataType_t` of the inputs and of the output, `cublasComputeType_t`.
#[derive(Clone, Copy)]
pub(super) struct Types {
    input: c_int,
    output: c_int,
    compute: c_int,
    /// 1 and 0 in the type sums are kept in.
    one: u32,
}

impl Types {
    /// What the library multiplies: the type of the operands, or TF32 where the specification says that f32 hold it.
    pub(super) fn name(spec: &Spec) -> String {
        match spec.id.contains(".tf32.") {
            true => "TF32".into(),
            false => format!("{:?}", spec.inputs[0].dtype),
        }
    }

    pub(super) fn of(spec: &Spec) -> Result<Self, CublasError> {
        const R_32F: c_int = 0;
        const R_16F: c_int = 2;
        const R_8I: c_int = 3;
        const R_32I: c_int = 10;
        const R_16BF: c_int = 14;
        const COMPUTE_32F: c_int = 68;
        const COMPUTE_32I: c_int = 72;
        const COMPUTE_32F_FAST_TF32: c_int = 77;
        let (input, output, compute, one) = match spec.inputs[0].dtype {
            Dtype::F32 if Self::name(spec) == "TF32" => {
                (R_32F, R_32F, COMPUTE_32F_FAST_TF32, 1.0f32.to_bits())
            }
            Dtype::F32 => (R_32F, R_32F, COMPUTE_32F, 1.0f32.to_bits()),
            Dtype::F16 => (R_16F, R_16F, COMPUTE_32F, 1.0f32.to_bits()),
            Dtype::Bf16 => (R_16BF, R_16BF, COMPUTE_32F, 1.0f32.to_bits()),
            Dtype::I8 => (R_8I, R_32I, COMPUTE_32I, 1),
            other => return Err(CublasError::Unsupported(other)),
        };
        Ok(Self {
            input,
            output,
            compute,
            one,
        })
    }
}

impl Cublas {
    /// Opens the library and makes a handle. The context must be current on this thread.
    pub(super) fn open(stream: CUstream) -> Result<Self, CublasError> {
        let library = open()?;
        let mut handle = std::ptr::null_mut();
        let mut version = 0;
        // SAFETY: the types are those of cublas_api.h, versions 11 to 13.
        let (destroy, gemm) = unsafe {
            let create: Create = symbol(&library, "cublasCreate_v2")?;
            let set_stream: SetStream = symbol(&library, "cublasSetStream_v2")?;
            let get_version: Version = symbol(&library, "cublasGetVersion_v2")?;
            let destroy: Destroy = symbol(&library, "cublasDestroy_v2")?;
            let gemm: GemmEx = symbol(&library, "cublasGemmEx")?;
            check("cublasCreate", create(&raw mut handle))?;
            check("cublasSetStream", set_stream(handle, stream))?;
            check("cublasGetVersion", get_version(handle, &raw mut version))?;
            (destroy, gemm)
        };
        // 120_103 is 12.1.3; 13 counts the same way.
        let version = format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100);
        Ok(Self {
            handle,
            destroy,
            gemm,
            version,
            _library: library,
        })
    }

    /// Queues one product.
    ///
    /// The library thinks in columns: our row-major C is its transpose, so it computes B * transpose(A), where B read by
    /// columns is already transposed once.
    pub(super) fn multiply(&self, product: &Product) -> Result<(), CublasError> {
        let [m, n, k] = product.sizes;
        let Types {
            input,
            output,
            compute,
            one,
        } = product.types;
        let (one, zero): (*const u32, *const u32) = (&raw const one, &raw const ZERO);
        // SAFETY: the addresses are of buffers with the sizes given, and the library copies the scalars.
        let status = unsafe {
            (self.gemm)(
                self.handle,
                TRANSPOSED,
                NOT_TRANSPOSED,
                n,
                m,
                k,
                one.cast(),
                product.b as *const c_void,
                input,
                k,
                product.a as *const c_void,
                input,
                k,
                zero.cast(),
                product.c as *mut c_void,
                output,
                n,
                compute,
                DEFAULT_ALGORITHM,
            )
        };
        check("cublasGemmEx", status)
    }
}

/// 0 as f32 and as i32.
static ZERO: u32 = 0;

impl Drop for Cublas {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and not used again.
        unsafe { (self.destroy)(self.handle) };
    }
}

fn check(function: &'static str, status: Status) -> Result<(), CublasError> {
    match status {
        0 => Ok(()),
        status => Err(CublasError::Status { function, status }),
    }
}

/// # Safety
/// `F` is the type of the function called `name`.
unsafe fn symbol<F: Copy>(library: &Library, name: &str) -> Result<F, CublasError> {
    // SAFETY: the caller vouches for the type.
    let found = unsafe { library.get::<F>(name) };
    found
        .map(|symbol| *symbol)
        .map_err(|error| CublasError::Absent(error.to_string()))
}

fn open() -> Result<Library, CublasError> {
    if let Some(path) = std::env::var_os(OVERRIDE) {
        // SAFETY: the user names a cuBLAS.
        let library = unsafe { Library::new(&path) };
        return library.map_err(|error| CublasError::Absent(format!("{OVERRIDE}: {error}")));
    }
    // SAFETY: loading cuBLAS runs its own initialization only.
    let by_name = NAMES.iter().find_map(|name| unsafe { Library::new(*name) }.ok());
    let found = by_name.or_else(|| folders().iter().find_map(|folder| open_in(folder)));
    found.ok_or_else(|| {
        CublasError::Absent(format!(
            "none of {} is on the loader's path or in a Python environment; \
             pip install nvidia-cublas-cu12, or name the file in {OVERRIDE}",
            NAMES.join(", ")
        ))
    })
}

/// The library of a folder, its companion first: not every installation tells the loader where that is.
fn open_in(folder: &Path) -> Option<Library> {
    NAMES.iter().find_map(|name| {
        let companion = folder.join(name.replace("cublas", "cublasLt"));
        // SAFETY: as in `open`. The companion stays loaded because the library depends on it.
        let companion = unsafe { Library::new(companion) }.ok();
        // SAFETY: as in `open`.
        let library = unsafe { Library::new(folder.join(name)) }.ok();
        drop(companion);
        library
    })
}

/// Where the toolkit and PyTorch's wheels put it.
fn folders() -> Vec<PathBuf> {
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local"));
    let system = ["/usr/local", "/usr", "/opt/conda", "/opt/venv"]
        .into_iter()
        .map(PathBuf::from);
    let prefixes = environments.chain(home).chain(system);
    let libraries = prefixes.map(|prefix| prefix.join("lib"));
    let pythons = libraries.flat_map(|library| children(&library, "python3"));
    let wheels = pythons.flat_map(|python| {
        let packages =
            ["site-packages", "dist-packages"].map(|packages| python.join(packages).join("nvidia"));
        packages
            .into_iter()
            .flat_map(|nvidia| ["cu13", "cublas"].map(|wheel| nvidia.join(wheel).join("lib")))
    });
    let toolkits = children(Path::new("/usr/local"), "cuda")
        .into_iter()
        .map(|toolkit| toolkit.join("lib64"));
    wheels.chain(toolkits).filter(|folder| folder.is_dir()).collect()
}

/// Entries of `folder` whose names begin with `prefix`, the last by name first: the newest version.
fn children(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    let mut paths: Vec<_> = named.map(|entry| entry.path()).collect();
    paths.sort();
    paths.reverse();
    paths
}
