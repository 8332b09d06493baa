//! Launches of our kernels, prepared for the driver.

#![allow(unsafe_code, reason = "kernels take raw device pointers")]

use std::ffi::c_void;

use cudarc::driver::sys::{self, CUdeviceptr};
use cudarc::driver::{CudaFunction, DriverError};

use super::card::Opened;
use crate::workload::Launch;

/// A launch with its arguments in the form the driver takes.
pub(super) struct Call {
    function: CudaFunction,
    grid: (u32, u32, u32),
    block: (u32, u32, u32),
    shared: u32,
    /// Points into `_values`.
    arguments: Vec<*mut c_void>,
    /// Pointers, then words in the low half: an `unsigned` is read from the same address, the host is little-endian.
    _values: Box<[u64]>,
}

/// Lets a function have more dynamic shared memory than the 48 KiB that every block may have.
pub(super) fn allow_shared(function: &CudaFunction, bytes: u32) -> Result<(), DriverError> {
    const EVERYWHERE: u32 = 48 << 10;
    if bytes <= EVERYWHERE {
        return Ok(());
    }
    function.set_attribute(
        sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
        bytes.cast_signed(),
    )
}

impl Call {
    pub(super) fn new(launch: &Launch, function: CudaFunction, addresses: Vec<CUdeviceptr>) -> Self {
        let words = launch.push.iter().copied().map(u64::from);
        let mut values: Box<[u64]> = addresses.into_iter().chain(words).collect();
        let [grid, block] = [launch.grid, launch.block].map(|[x, y, z]| (x, y, z));
        Self {
            function,
            grid,
            block,
            shared: launch.shared,
            arguments: values
                .iter_mut()
                .map(|value| std::ptr::from_mut(value).cast())
                .collect(),
            _values: values,
        }
    }

    pub(super) fn launch(&self, opened: &Opened) -> Result<(), DriverError> {
        // SAFETY: the plan gives each kernel the buffers and words of its contract; the driver copies the arguments
        // and the buffers outlive the work, because dropping them waits for the stream.
        unsafe {
            sys::cuLaunchKernel(
                self.function.cu_function(),
                self.grid.0,
                self.grid.1,
                self.grid.2,
                self.block.0,
                self.block.1,
                self.block.2,
                self.shared,
                opened.stream.cu_stream(),
                self.arguments.as_ptr().cast_mut(),
                std::ptr::null_mut(),
            )
        }
        .result()
    }
}
