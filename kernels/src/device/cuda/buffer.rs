//! A buffer of a case: in the card's memory, or in page-locked memory of the host, which the card's copy engines reach.

#![allow(unsafe_code, reason = "copies take raw pointers")]

use std::ops::Range;
use std::sync::Arc;

use cudarc::driver::sys::{self, CUdeviceptr};
use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DriverError, PinnedHostSlice};

use super::card::Opened;

pub(super) enum Buffer {
    Card(CudaSlice<u8>),
    Host(PinnedHostSlice<u8>),
}

impl Buffer {
    /// On the card; its bytes may be anything.
    pub(super) fn on_card(opened: &Opened, bytes: usize) -> Result<Self, DriverError> {
        // SAFETY: a byte may hold anything, and is written before it is used.
        unsafe { opened.stream.alloc::<u8>(bytes) }.map(Self::Card)
    }

    /// On the host, page-locked; its bytes may be anything.
    pub(super) fn on_host(opened: &Opened, bytes: usize) -> Result<Self, DriverError> {
        const CACHED: u32 = 0;
        // SAFETY: as above.
        unsafe { opened.context.alloc_pinned_with_flags::<u8>(bytes, CACHED) }.map(Self::Host)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Card(slice) => slice.len(),
            Self::Host(slice) => slice.len(),
        }
    }

    /// Where kernels find it; of a buffer of the host where the host does.
    pub(super) fn address(&self, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, DriverError> {
        Ok(match self {
            Self::Card(slice) => slice.device_ptr(stream).0,
            Self::Host(slice) => slice.as_ptr()? as CUdeviceptr,
        })
    }

    /// The bytes; what the buffer holds beyond them is left. Waits for the stream.
    pub(super) fn write(&mut self, stream: &Arc<CudaStream>, bytes: &[u8]) -> Result<(), DriverError> {
        match self {
            Self::Card(slice) => stream.memcpy_htod(bytes, &mut slice.slice_mut(..bytes.len()))?,
            Self::Host(slice) => {
                stream.synchronize()?;
                slice.as_mut_slice()?[..bytes.len()].copy_from_slice(bytes);
            }
        }
        stream.synchronize()
    }

    /// Every word. The caller waits for the stream.
    pub(super) fn fill(&mut self, stream: &Arc<CudaStream>, word: u32) -> Result<(), DriverError> {
        let words = self.len() / size_of::<u32>();
        match self {
            Self::Card(slice) => {
                let address = slice.device_ptr(stream).0;
                // SAFETY: the buffer is a whole number of words and in use on this stream only.
                unsafe { sys::cuMemsetD32Async(address, word, words, stream.cu_stream()) }.result()
            }
            Self::Host(slice) => {
                stream.synchronize()?;
                let (words, _) = slice.as_mut_slice()?.as_chunks_mut();
                words.fill(word.to_ne_bytes());
                Ok(())
            }
        }
    }

    /// Some of its bytes, after what was queued.
    pub(super) fn read(&self, stream: &Arc<CudaStream>, range: Range<usize>) -> Result<Vec<u8>, DriverError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        match self {
            Self::Card(slice) => {
                let read = stream.clone_dtoh(&slice.slice(range))?;
                stream.synchronize().map(|()| read)
            }
            Self::Host(slice) => {
                stream.synchronize()?;
                Ok(slice.as_slice()?[range].to_vec())
            }
        }
    }
}

/// A queued copy between host and card, of as many bytes as both hold.
pub(super) struct Copy {
    from: CUdeviceptr,
    to: CUdeviceptr,
    bytes: usize,
    up: bool,
}

impl Copy {
    pub(super) fn new(stream: &Arc<CudaStream>, from: &Buffer, to: &Buffer) -> Result<Self, DriverError> {
        Ok(Self {
            from: from.address(stream)?,
            to: to.address(stream)?,
            bytes: from.len().min(to.len()),
            up: matches!(from, Buffer::Host(_)),
        })
    }

    pub(super) fn queue(&self, stream: &Arc<CudaStream>) -> Result<(), DriverError> {
        let stream = stream.cu_stream();
        // SAFETY: both buffers hold the bytes and outlive the work, because dropping them waits for the stream.
        unsafe {
            match self.up {
                true => sys::cuMemcpyHtoDAsync_v2(self.to, self.from as *const _, self.bytes, stream),
                false => sys::cuMemcpyDtoHAsync_v2(self.to as *mut _, self.from, self.bytes, stream),
            }
        }
        .result()
    }
}
