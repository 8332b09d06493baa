//! How products are launched: a block for each tile of C.

use attest::spec::Dims;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// One launch of `tile`, whose blocks of 256 threads compute 128 x 128 of C each; on a Vulkan device that is a processor,
/// where shared memory gains nothing, of `narrow`, whose groups of 8 compute 32 x 64.
pub(crate) fn plan(dims: &Dims, target: Target, tile: &'static Kernel, narrow: &'static Kernel) -> Plan {
    let (kernel, [rows, cols], threads) = match target.software {
        true => (narrow, [32, 64], 8),
        false => (tile, [128, 128], 256),
    };
    one_launch(dims, kernel, [rows, cols], threads)
}

/// One launch of `kernel`, which multiplies by `mma` of the PTX ISA, as [`plan`] does of its `tile`.
pub(crate) fn matrix_units(dims: &Dims, target: Target, kernel: &'static Kernel) -> Result<Plan, String> {
    target.expect_matrix_units()?;
    Ok(one_launch(dims, kernel, [128, 128], 256))
}

fn one_launch(dims: &Dims, kernel: &'static Kernel, [rows, cols]: [usize; 2], threads: u32) -> Plan {
    let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name));
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel,
            grid: [n.div_ceil(cols) as u32, m.div_ceil(rows) as u32, 1],
            block: [threads, 1, 1],
            push: vec![m as u32, n as u32, k as u32],
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
            shared: 0,
        }],
    }
}
