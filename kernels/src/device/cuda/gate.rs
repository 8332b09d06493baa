//! Keeps launch gaps out of a batch: the stream waits at a kernel until the host has queued a good part of the batch.
//!
//! Without it the device would start on the first launch while the host still prepares the second, and kernels
//! shorter than a launch (about 3 microseconds) would be timed at the host's pace. Both clocks start when it opens.

#![allow(unsafe_code, reason = "host memory is shared with a running kernel")]

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;

use cudarc::driver::sys::{self, CU_MEMHOSTALLOC_DEVICEMAP};
use cudarc::driver::{CudaContext, CudaFunction, CudaStream, DriverError, PinnedHostSlice, result};
use cudarc::nvrtc::Ptx;

/// Launches queued before the gate opens. Drivers hold 1,024 before a launch waits for room, and while it waited the
/// gate could not open.
pub(super) const LEAD: u64 = 256;

/// The gate opens by itself after this long: `CUDA_LAUNCH_BLOCKING` and debuggers wait for every launch, this one too.
const LIMIT_US: u32 = 100_000;

pub(super) struct Gate {
    function: CudaFunction,
    host: *mut u32,
    device: u64,
    ticket: Cell<u32>,
    /// Keeps `host` and `device` alive.
    _word: PinnedHostSlice<u32>,
}

// SAFETY: `host` points into `_word`, which may be used from any thread; the gate is not shared between threads.
unsafe impl Send for Gate {}

impl Gate {
    pub(super) fn new(context: &Arc<CudaContext>) -> Result<Self, DriverError> {
        let module = context.load_module(Ptx::from_src(include_str!("gate.ptx")))?;
        // SAFETY: the word is written below before anything reads it.
        let mut word = unsafe { context.alloc_pinned_with_flags::<u32>(1, CU_MEMHOSTALLOC_DEVICEMAP) }?;
        let host = word.as_mut_ptr()?;
        let mut device = 0;
        // SAFETY: `host` is one mapped word; the call writes its device address.
        unsafe {
            host.write_volatile(0);
            sys::cuMemHostGetDevicePointer_v2(&raw mut device, host.cast(), 0).result()?;
        }
        Ok(Self {
            function: module.load_function("gate")?,
            host,
            device,
            ticket: Cell::new(0),
            _word: word,
        })
    }

    /// Work queued after this waits for [`Gate::open`].
    pub(super) fn close(&self, stream: &CudaStream) -> Result<(), DriverError> {
        self.ticket.set(self.ticket.get().wrapping_add(1));
        let (mut flag, mut ticket, mut limit) = (self.device, self.ticket.get(), LIMIT_US);
        let mut arguments: [*mut c_void; 3] = [
            (&raw mut flag).cast(),
            (&raw mut ticket).cast(),
            (&raw mut limit).cast(),
        ];
        // SAFETY: the arguments are those of gate.cu and are copied by the call; the word outlives the stream's work
        // because both owners wait for the stream before they free it.
        unsafe {
            result::launch_kernel(
                self.function.cu_function(),
                (1, 1, 1),
                (1, 1, 1),
                0,
                stream.cu_stream(),
                &mut arguments,
            )
        }
    }

    pub(super) fn open(&self) {
        // SAFETY: the word is ours; the kernel only reads it.
        unsafe { self.host.write_volatile(self.ticket.get()) };
    }
}
