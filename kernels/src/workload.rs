//! What a workload is: a specification, a reference, and the code that runs it on each kind of device.

use std::sync::LazyLock;

use attest::spec::{Dims, Spec, Tensor};
use attest::statement::{Api, Device as Facts, DeviceKind, PathClass};

/// One workload. Its folder holds everything named here; the catalogue holds one line.
pub struct Workload {
    pub spec: &'static LazyLock<Spec>,
    /// Launches of one run of the case on a GPU API: the portable path.
    pub plan: fn(&Dims, Target) -> Plan,
    /// The same on the tuned path; `None` where we have no kernel faster than the portable one.
    pub tuned: Option<TunedPlan>,
    /// One run of the case on the CPU: inputs and outputs in the specification's order, dense little-endian bytes. The
    /// scratch of the plan for [`CPU`] follows the outputs.
    pub cpu: CpuKernel,
    pub reference: Reference,
    /// Inputs from the seed where they are not the streams of [`inputs`](crate::inputs): small keys, for instance.
    pub inputs: Option<Draw>,
    /// The whole of an output that follows from the outputs before it, and is checked against them; `None` for an output
    /// that has a reference.
    pub derived: Option<Derive>,
    /// Why no device runs such a case: a size that the definition excludes.
    pub limits: Option<fn(&Dims) -> Option<String>>,
    /// What tests run on every device: a single element, primes, neighbours of what tiles divide; three sizes at least.
    pub odd_sizes: fn() -> Vec<Dims>,
    pub kind: Kind,
}

/// The launches of our best kernels for a device, or in words why it cannot run them.
pub type TunedPlan = fn(&Dims, Target) -> Result<Plan, String>;

impl Workload {
    /// Launches of one run on a path that has our own kernels, or why the device has none.
    pub fn plan_on(&self, path: PathClass, dims: &Dims, target: Target) -> Result<Plan, String> {
        match (path, self.tuned) {
            (PathClass::Portable, _) => Ok((self.plan)(dims, target)),
            (PathClass::Tuned, Some(tuned)) => tuned(dims, target),
            (PathClass::Tuned, None) => Err(format!("{} has no tuned kernel", self.spec.id)),
            (PathClass::Vendor, _) => Err(format!(
                "the vendor path is cuBLASLt on CUDA devices; this is {}",
                target.api.as_str()
            )),
        }
    }

    /// The paths that some device can run it on, portable first.
    pub fn paths(&self) -> Vec<PathClass> {
        let has = |path: &PathClass| match path {
            PathClass::Portable => true,
            PathClass::Tuned => self.tuned.is_some(),
            PathClass::Vendor => crate::device::cuda::multiplies(self.spec),
        };
        PathClass::ALL.into_iter().filter(has).collect()
    }
}

/// What a launch is, and by which clock it is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The plan's kernels on memory of the device, in a full queue, timed by the device.
    Kernels,
    /// The plan's kernels, handed over when the last have ended and waited for; timed by the host.
    RoundTrip,
    /// A copy of the only input, in the host's memory, to the only output, in the device's. The plan is empty.
    Upload,
    /// The same from the device to the host.
    Download,
}

impl Kind {
    /// Whether the input is in the host's memory.
    pub(crate) fn host_inputs(self) -> bool {
        self == Self::Upload
    }

    /// Whether the output is in the host's memory.
    pub(crate) fn host_outputs(self) -> bool {
        self == Self::Download
    }

    pub(crate) fn copies(self) -> bool {
        self.host_inputs() || self.host_outputs()
    }
}

/// The authority: outputs in f64, from the inputs.
#[derive(Clone, Copy)]
pub enum Reference {
    /// One [`Row`] of one output, as large cases are checked by a sample of their rows.
    Rows(fn(&Dims, &[&[u8]], Row) -> Vec<f64>),
    /// Every output whole, in the specification's order, where one row takes most of the work of all: networks.
    Whole(WholeReference),
}

/// All outputs in f64, from the inputs.
pub type WholeReference = fn(&Dims, &[&[u8]]) -> Vec<Vec<f64>>;

/// Every input in the specification's order, from the seed.
pub type Draw = fn(&Dims, &[u8; 32]) -> Vec<Vec<u8>>;

/// Dimensions, which output, and all outputs, of which those after it may be anything.
pub type Derive = fn(&Dims, usize, &[Vec<u8>]) -> Option<Vec<u8>>;

/// Runs one case on the threads of the current rayon pool. Slices are aligned to their elements.
pub type CpuKernel = fn(&Dims, &[&[u8]], &mut [&mut [u8]]);

/// The last dimension of an output at one place of the others; of an output with one dimension, one stretch of
/// [`VECTOR_ROW`] elements.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which output, in the specification's order.
    pub output: usize,
    pub index: u64,
}

/// Elements of one row of an output that has a single dimension; its last row may be shorter.
pub const VECTOR_ROW: u64 = 65_536;

/// Size of a dimension of a case.
///
/// # Panics
/// If the case has no such dimension: specifications and code are checked against each other by tests.
pub fn dim(dims: &Dims, name: &str) -> usize {
    let size = dims
        .get(name)
        .unwrap_or_else(|| panic!("the case has no dimension {name:?}"));
    usize::try_from(*size).expect("a 64-bit host")
}

/// Which of the named sizes no kernel counts to, in words.
pub(crate) fn uncounted(dims: &Dims, names: &[&str]) -> Option<String> {
    let past = |name: &&&str| u32::try_from(dim(dims, name)).is_err();
    let name = names.iter().find(past)?;
    let size = dim(dims, name);
    Some(format!(
        "{name} of {size} is past the 2^32-1 that kernels count to"
    ))
}

/// Elements of a tensor in one case.
pub fn elements(tensor: &Tensor, dims: &Dims) -> u64 {
    tensor.shape.iter().map(|name| dim(dims, name) as u64).product()
}

/// Dense bytes of a tensor in one case. Devices pad buffers to whole words; the padding is no output.
///
/// # Panics
/// Past 2^64-1 bits, more than any memory.
pub fn bytes(tensor: &Tensor, dims: &Dims) -> u64 {
    let bytes = tensor.dtype.bytes(elements(tensor, dims));
    bytes.expect("fewer than 2^64 bits")
}

/// What a plan is made for. Tile shapes may follow it; the order of operations must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub api: Api,
    /// A Vulkan device that is a CPU, whose subgroups of eight exchange values: what kernels for processors rely on.
    pub software: bool,
    /// A Vulkan device with an instruction for the dot product of four packed i8.
    pub packed_dot: bool,
    /// Ten times the major plus the minor number of a CUDA device's compute capability; 0 elsewhere.
    pub capability: u32,
}

/// The processor, which runs no launches but has a plan's scratch.
pub const CPU: Target = Target {
    api: Api::Cpu,
    software: false,
    packed_dot: false,
    capability: 0,
};

/// Features in the description of a Vulkan device that choose its kernels.
pub(crate) const PACKED_DOT: &str = "shaderIntegerDotProduct";
pub(crate) const PACKED_DOT_ACCELERATED: &str = "integerDotProduct4x8BitPackedSignedAccelerated";
pub(crate) const SUBGROUP_BALLOT: &str = "subgroupBallot";
/// Followed by the number of invocations.
pub(crate) const SUBGROUP_SIZE: &str = "subgroupSize";

impl Target {
    /// What the description of a device says of it.
    pub fn of(device: &Facts) -> Self {
        let has = |name: &str| device.features.iter().any(|feature| feature == name);
        let number = |prefix: &str| {
            let digits = device.features.iter().find_map(|name| name.strip_prefix(prefix));
            digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
        };
        let exchanges_among_eight = has(SUBGROUP_BALLOT) && number(SUBGROUP_SIZE) >= 8;
        Self {
            api: device.api,
            software: device.kind == DeviceKind::Software && exchanges_among_eight,
            packed_dot: has(PACKED_DOT) && has(PACKED_DOT_ACCELERATED),
            capability: number("sm_"),
        }
    }

    /// Whether kernels for the matrix units of CUDA run here, in words where they do not. What they are made of, `mma` of f16
    /// and `cp.async`, came with compute capability 8.0.
    pub(crate) fn expect_matrix_units(&self) -> Result<(), String> {
        const AMPERE: u32 = 80;
        match self.api {
            Api::Cuda if self.capability >= AMPERE => Ok(()),
            Api::Cuda => Err(format!(
                "the tuned kernel is for compute capability 8.0 and later; this device has {}.{}",
                self.capability / 10,
                self.capability % 10
            )),
            other => Err(format!(
                "the tuned kernel is for CUDA devices; this is {}",
                other.as_str()
            )),
        }
    }

    /// Bytes of shared memory that a block can have on a CUDA device, of which more than 48 KiB must be asked for
    /// (CUDA C++ Programming Guide, table of technical specifications).
    pub fn shared_bytes(&self) -> u32 {
        let kibibytes = match self.capability {
            80 | 87 => 163,
            90..=119 => 227,
            86 | 89 | 120.. => 99,
            70..75 => 96,
            75 => 64,
            _ => 48,
        };
        kibibytes << 10
    }
}

pub struct Plan {
    /// Bytes of each intermediate buffer.
    pub scratch: Vec<u64>,
    pub launches: Vec<Launch>,
}

/// One kernel launch. CUDA passes the buffers as pointers and then each word of `push` as `unsigned`; Vulkan binds
/// buffer i to binding i of set 0 and passes `push` as push constants.
pub struct Launch {
    pub kernel: &'static Kernel,
    pub grid: [u32; 3],
    /// Threads of a block. Vulkan's are fixed in the shader and must agree.
    pub block: [u32; 3],
    pub push: Vec<u32>,
    pub buffers: Vec<Slot>,
    /// Bytes of CUDA's dynamic shared memory, at most [`Target::shared_bytes`]; Vulkan's is fixed in the shader.
    pub shared: u32,
}

/// A buffer that a launch takes, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Input(usize),
    Output(usize),
    Scratch(usize),
    Part(Part),
}

/// Some bytes of a buffer, as one layer of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    whole: Whole,
    offset: u64,
    bytes: u64,
}

/// A whole buffer of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    Input(usize),
    Output(usize),
    Scratch(usize),
}

/// Where a part may begin, in bytes: the largest `minStorageBufferOffsetAlignment` that Vulkan allows a device to have.
pub const PART_ALIGNMENT: u64 = 256;

impl Slot {
    /// `bytes` bytes of this buffer or part, from `offset` on, a multiple of [`PART_ALIGNMENT`].
    ///
    /// # Panics
    /// If the offset is no such multiple: the limits of a workload refuse sizes that make one.
    pub fn part(self, offset: u64, bytes: u64) -> Self {
        assert!(
            offset.is_multiple_of(PART_ALIGNMENT),
            "a part begins at byte {offset}, no multiple of {PART_ALIGNMENT}"
        );
        let (whole, before, _) = self.stretch();
        Self::Part(Part {
            whole,
            offset: before + offset,
            bytes,
        })
    }

    /// `count` elements of `size` bytes, from `first` on: see [`Slot::part`].
    pub(crate) fn elements(self, first: usize, count: usize, size: usize) -> Self {
        self.part((first * size) as u64, (count * size) as u64)
    }

    /// The buffer, the first byte and how many there are; `None` for all of it.
    pub fn stretch(self) -> (Whole, u64, Option<u64>) {
        match self {
            Self::Input(index) => (Whole::Input(index), 0, None),
            Self::Output(index) => (Whole::Output(index), 0, None),
            Self::Scratch(index) => (Whole::Scratch(index), 0, None),
            Self::Part(part) => (part.whole, part.offset, Some(part.bytes)),
        }
    }
}

/// Committed device code. The CUDA entry point is `name`, the Vulkan one `main`.
pub struct Kernel {
    /// Stem of the files: `gemm_f32`.
    pub name: &'static str,
    /// Workload folder below `kernels/src`.
    pub folder: &'static str,
    pub ptx: Option<&'static str>,
    pub spirv: Option<&'static [u8]>,
}

/// Word that fills outputs before they are timed: NaN as f32 and as both halves in f16, and larger than any i32 sum of
/// the workloads. An element that still holds it was never written.
pub const POISON: u32 = 0x7FFD_7FFE;
