//! Memory as the kernels want it: on cache lines, on huge pages where it is large, padded to whole words.

#![allow(
    unsafe_code,
    reason = "aligned memory and huge pages come from the allocator and the kernel by raw pointer"
)]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

/// Two cache lines: adjacent lines are fetched in pairs.
const LINES: usize = 128;

/// Size of a huge page on x86-64 and on most arm64 kernels.
const HUGE_PAGE: usize = 2 << 20;

pub(crate) struct Buffer {
    start: NonNull<u8>,
    layout: Layout,
    bytes: usize,
}

// SAFETY: the memory belongs to the buffer alone and is reached only through its borrows.
unsafe impl Send for Buffer {}

impl Buffer {
    /// Zeroed memory; `None` where the system has none.
    pub(crate) fn new(bytes: usize) -> Option<Self> {
        let padded = bytes.next_multiple_of(size_of::<u32>()).max(LINES);
        let align = if padded >= 2 * HUGE_PAGE { HUGE_PAGE } else { LINES };
        let layout = Layout::from_size_align(padded, align).ok()?;
        // SAFETY: the layout is not empty.
        let start = NonNull::new(unsafe { alloc(layout) })?;
        if align == HUGE_PAGE {
            // SAFETY: the range was just allocated. The advice may be declined, which costs only speed.
            unsafe { libc::madvise(start.as_ptr().cast(), padded, libc::MADV_HUGEPAGE) };
        }
        // SAFETY: `padded` bytes from `start` are ours; after this they are initialized.
        unsafe { start.write_bytes(0, padded) };
        Some(Self { start, layout, bytes })
    }

    pub(crate) fn filled(mut self, bytes: &[u8]) -> Self {
        self.bytes_mut().copy_from_slice(bytes);
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: initialized in `new`, at least `bytes` long, borrowed as `self` is.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }

    /// All words, padding included.
    pub(crate) fn words(&self) -> &[u32] {
        let words = self.bytes.div_ceil(size_of::<u32>());
        // SAFETY: as in `bytes`; the layout is padded to whole words and aligned to more than one.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), words) }
    }

    /// All words, padding included.
    pub(crate) fn words_mut(&mut self) -> &mut [u32] {
        let words = self.bytes.div_ceil(size_of::<u32>());
        // SAFETY: as in `bytes_mut`; the layout is padded to whole words and aligned to more than one.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), words) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_size_is_padded_to_words_and_its_bytes_are_dense() {
        let mut buffer = Buffer::new(7).expect("a few bytes");
        buffer.words_mut().fill(u32::MAX);
        assert_eq!(buffer.words_mut().len(), 2);
        assert_eq!(buffer.bytes(), [0xFF; 7]);
        assert!(Buffer::new(0).expect("no bytes").bytes().is_empty());
    }
}
