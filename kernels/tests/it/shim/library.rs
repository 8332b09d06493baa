//! Compiles a CUDA source for the CPU and calls it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use attest::digest::Sha256;

/// In the order in which they stand before a source.
const HEADERS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/shim/cuda_shim.h"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/shim/mma.h"),
];

/// Contraction off: a product and a sum are rounded apart unless the source says `fma`, as `gemm.f32.exact` demands.
const FLAGS: [&str; 10] = [
    "-std=c++17",
    "-O3",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-U_FORTIFY_SOURCE",
    "-fPIC",
    "-shared",
    "-Wno-unknown-pragmas",
    "-x",
    "c++",
];

/// The shim's state is one launch's, and so are the handlers of a process.
static ONE_LAUNCH: Mutex<()> = Mutex::new(());

/// Keeps two tests from compiling one source at once.
static ONE_COMPILER: Mutex<()> = Mutex::new(());

type Launch =
    unsafe extern "C" fn(*mut c_void, *const u32, *const u32, *const u64, u32, c_int) -> *const c_char;

pub(crate) struct Library(libloading::Library);

impl Library {
    pub(crate) fn of(source: &Path) -> Result<Self, String> {
        let library = compiled(source)?;
        // SAFETY: the library was just made from the source and the shim, neither of which runs code on loading.
        let library = unsafe { libloading::Library::new(&library) };
        library.map(Self).map_err(|error| error.to_string())
    }

    /// Runs one launch; an error names the block, the thread and what it did.
    pub(crate) fn launch(
        &self,
        kernel: &str,
        grid: [u32; 3],
        block: [u32; 3],
        arguments: &[u64],
        descending: bool,
    ) -> Result<(), String> {
        let _one = ONE_LAUNCH.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the symbols are the shim's and the source's; the arguments are addresses of guarded buffers and
        // words in the order of the kernel's contract.
        let error = unsafe {
            let entry = self
                .0
                .get::<*mut c_void>(kernel)
                .map_err(|error| error.to_string())?;
            let launch = self
                .0
                .get::<Launch>("shim_launch")
                .map_err(|error| error.to_string())?;
            let entry = entry.try_as_raw_ptr().ok_or("a kernel without an address")?;
            let error = launch(
                entry,
                grid.as_ptr(),
                block.as_ptr(),
                arguments.as_ptr(),
                arguments.len() as u32,
                c_int::from(descending),
            );
            (!error.is_null()).then(|| CStr::from_ptr(error).to_string_lossy().into_owned())
        };
        error.map_or(Ok(()), |error| Err(format!("{kernel}: {error}")))
    }
}

/// The library of this source and this shim, compiled unless an earlier run has done it.
pub(crate) fn compiled(source: &Path) -> Result<PathBuf, String> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let text = read(source)?;
    let mut preludes: Vec<PathBuf> = Vec::new();
    let mut identity = [FLAGS.concat().into_bytes(), text.clone()].concat();
    for header in HEADERS {
        identity.extend(read(header.as_ref())?);
    }
    let mut before = prelude(&text);
    while let Some(path) = before {
        let text = read(&path)?;
        identity.extend_from_slice(&text);
        before = prelude(&text);
        preludes.insert(0, path);
    }
    let digest = Sha256::of(&identity).to_string();
    let stem = source
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("kernel");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")),
        PathBuf::from,
    );
    let folder = target.join("shim");
    let library = folder.join(format!("{stem}-{}.so", &digest[..16]));
    let _one = ONE_COMPILER.lock().unwrap_or_else(PoisonError::into_inner);
    if !library.exists() {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let unfinished = library.with_extension(format!("{}", std::process::id()));
        compile(source, &preludes, &unfinished)?;
        fs::rename(&unfinished, &library).map_err(|error| format!("{}: {error}", library.display()))?;
    }
    Ok(library)
}

/// The file that a source or a prelude begins with, as `ci/device-code` reads its first line.
fn prelude(source: &[u8]) -> Option<PathBuf> {
    let first = source.split(|byte| *byte == b'\n').next()?;
    let name = std::str::from_utf8(first).ok()?.strip_prefix("// prelude: ")?;
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name))
}

fn compile(source: &Path, preludes: &[PathBuf], library: &Path) -> Result<(), String> {
    let output = Command::new("g++")
        .args(FLAGS)
        .args(HEADERS.iter().flat_map(|header| ["-include", *header]))
        .args(
            preludes
                .iter()
                .flat_map(|prelude| [Path::new("-include"), prelude]),
        )
        .arg(source)
        .arg("-o")
        .arg(library)
        .output()
        .map_err(|error| format!("g++ does not start: {error}; hint: apt-get install g++"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("g++ refuses {}:\n{text}", source.display()))
}
