//! Buffers on the device, and the way of bytes to and from them.

use std::ops::Range;
use std::sync::Arc;

use vulkano::Validated;
use vulkano::buffer::{Buffer, BufferCreateInfo, BufferUsage, Subbuffer};
use vulkano::memory::allocator::{AllocationCreateInfo, MemoryTypeFilter, StandardMemoryAllocator};

use super::super::DeviceError;
use super::context::{Context, Failure};
use super::limits;
use super::recorder::{Recorder, Use};

/// Bytes that travel in one piece; the staging buffer is no larger.
pub(super) const STAGING_BYTES: u64 = 32 << 20;

/// Buffers are whole vec4s, so that a kernel may read and write the vec4 that holds the last element.
const GRANULE: u64 = 16;

/// Bytes a tensor takes on the device.
pub(super) fn padded(bytes: u64) -> u64 {
    bytes.max(1).next_multiple_of(GRANULE)
}

/// Allocations of one loaded case; dropping it gives the memory back to the driver.
pub(super) struct Memory {
    context: Arc<Context>,
    allocator: Arc<StandardMemoryAllocator>,
}

impl Memory {
    pub(super) fn new(context: Arc<Context>) -> Self {
        let allocator = StandardMemoryAllocator::new_default(Arc::clone(&context.device));
        Self {
            context,
            allocator: Arc::new(allocator),
        }
    }

    /// Device memory that kernels use and transfers reach.
    pub(super) fn tensor(&self, bytes: u64) -> Result<Subbuffer<[u32]>, DeviceError> {
        let usage = BufferUsage::STORAGE_BUFFER | BufferUsage::TRANSFER_SRC | BufferUsage::TRANSFER_DST;
        self.allocate(padded(bytes), usage, MemoryTypeFilter::PREFER_DEVICE)
    }

    /// Memory of the host that transfers reach.
    pub(super) fn host_tensor(&self, bytes: u64) -> Result<Subbuffer<[u32]>, DeviceError> {
        let usage = BufferUsage::TRANSFER_SRC | BufferUsage::TRANSFER_DST;
        let filter = MemoryTypeFilter::PREFER_HOST | MemoryTypeFilter::HOST_RANDOM_ACCESS;
        self.allocate(padded(bytes), usage, filter)
    }

    fn allocate(
        &self,
        bytes: u64,
        usage: BufferUsage,
        memory_type_filter: MemoryTypeFilter,
    ) -> Result<Subbuffer<[u32]>, DeviceError> {
        let buffer = BufferCreateInfo {
            usage,
            ..BufferCreateInfo::default()
        };
        let memory = AllocationCreateInfo {
            memory_type_filter,
            ..AllocationCreateInfo::default()
        };
        let made = Buffer::new_slice::<u32>(Arc::clone(&self.allocator) as _, buffer, memory, bytes / 4);
        made.map_err(|error| match error {
            Validated::Error(_) => DeviceError::OutOfMemory {
                device: self.context.id.clone(),
                wanted: bytes,
                limit: limits::free_bytes(&self.context),
            },
            Validated::ValidationError(error) => self.context.failure("allocation", error),
        })
    }

    /// Writes the same bytes to each of `targets`.
    pub(super) fn upload(&self, bytes: &[u8], targets: &[Subbuffer<[u32]>]) -> Result<(), Failure> {
        let filter = MemoryTypeFilter::PREFER_HOST | MemoryTypeFilter::HOST_SEQUENTIAL_WRITE;
        let staging = self.allocate(staging_bytes(bytes.len()), BufferUsage::TRANSFER_SRC, filter)?;
        let mut at = 0;
        for piece in bytes.chunks(STAGING_BYTES as usize) {
            let words = piece.len().div_ceil(4) as u64;
            self.write(&staging, piece)?;
            let mut recorder = Recorder::begin(&self.context)?;
            recorder.barrier(Use::Host, Use::Transfer)?;
            for target in targets {
                recorder.copy(
                    &staging.clone().slice(..words),
                    &target.clone().slice(at..at + words),
                )?;
            }
            recorder.barrier(Use::Transfer, Use::Shader)?;
            self.finish(recorder, &staging)?;
            at += words;
        }
        Ok(())
    }

    /// A range of bytes of a tensor.
    pub(super) fn download(
        &self,
        source: &Subbuffer<[u32]>,
        range: Range<usize>,
    ) -> Result<Vec<u8>, Failure> {
        let filter = MemoryTypeFilter::PREFER_HOST | MemoryTypeFilter::HOST_RANDOM_ACCESS;
        let (first, end) = (range.start / 4, range.end.div_ceil(4));
        let staging = self.allocate(
            staging_bytes(4 * (end - first)),
            BufferUsage::TRANSFER_DST,
            filter,
        )?;
        let mut out = Vec::with_capacity(4 * (end - first));
        for at in (first..end).step_by(STAGING_BYTES as usize / 4) {
            let words = (end - at).min(STAGING_BYTES as usize / 4);
            let mut recorder = Recorder::begin(&self.context)?;
            recorder.barrier(Use::Shader, Use::Transfer)?;
            recorder.copy(
                &source.clone().slice(at as u64..(at + words) as u64),
                &staging.clone().slice(..words as u64),
            )?;
            recorder.barrier(Use::Transfer, Use::Host)?;
            self.finish(recorder, &staging)?;
            let read = staging
                .as_bytes()
                .read()
                .map_err(|error| self.context.failure("reading back", error))?;
            out.extend_from_slice(&read[..4 * words]);
        }
        out.truncate(range.end - 4 * first);
        out.drain(..range.start - 4 * first);
        Ok(out)
    }

    /// Fills whole tensors with a word.
    pub(super) fn fill(&self, targets: &[Subbuffer<[u32]>], word: u32) -> Result<(), Failure> {
        let mut recorder = Recorder::begin(&self.context)?;
        recorder.barrier(Use::Shader, Use::Transfer)?;
        for target in targets {
            recorder.fill(target, word)?;
        }
        recorder.barrier(Use::Transfer, Use::Shader)?;
        let commands = [recorder.end()?];
        match self.context.run(&commands) {
            Ok(_) => Ok(()),
            Err(error) => {
                std::mem::forget(commands);
                Err(error)
            }
        }
    }

    fn write(&self, staging: &Subbuffer<[u32]>, piece: &[u8]) -> Result<(), DeviceError> {
        let mut mapped = staging
            .as_bytes()
            .write()
            .map_err(|error| self.context.failure("writing a staging buffer", error))?;
        mapped[..piece.len()].copy_from_slice(piece);
        let end = piece.len().next_multiple_of(4);
        mapped[piece.len()..end].fill(0);
        Ok(())
    }

    fn finish(&self, recorder: Recorder<'_>, staging: &Subbuffer<[u32]>) -> Result<(), Failure> {
        let commands = [recorder.end()?];
        match self.context.run(&commands) {
            Ok(_) => Ok(()),
            Err(error) => {
                std::mem::forget((commands, staging.clone()));
                Err(error)
            }
        }
    }
}

fn staging_bytes(bytes: usize) -> u64 {
    padded(bytes as u64).min(STAGING_BYTES)
}
