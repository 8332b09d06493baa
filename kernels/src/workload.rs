//! What a workload is: a specification, a reference, and the code that runs it on each kind of device.

use std::sync::LazyLock;

use attest::spec::{Dims, Spec};
use attest::statement::Api;

/// One workload. Its folder holds everything named here; the catalogue holds one line.
pub struct Workload {
    pub spec: &'static LazyLock<Spec>,
    /// Launches of one run of the case on a GPU API.
    pub plan: fn(&Dims, Target) -> Plan,
    /// One run of the case on the CPU: inputs and outputs in the specification's order, dense little-endian bytes.
    pub cpu: fn(&Dims, &[&[u8]], &mut [&mut [u8]]),
    /// One row of one output in f64, from the inputs. A row is the output's last dimension.
    pub reference: fn(&Dims, &[&[u8]], Row) -> Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which output, in the specification's order.
    pub output: usize,
    pub index: u64,
}

/// What a plan is made for. Tile shapes may follow it; the order of operations must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub api: Api,
    /// A Vulkan device that is a CPU.
    pub software: bool,
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Input(usize),
    Output(usize),
    Scratch(usize),
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
