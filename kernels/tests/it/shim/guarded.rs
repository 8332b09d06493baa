//! Memory between two pages that fault.

use std::ptr::NonNull;

/// Bytes around a buffer that no kernel may change, and those past the last element of an input.
const CANARY: u8 = 0xA5;

#[derive(Clone, Copy)]
pub(crate) enum Flush {
    /// The first byte past the buffer faults. Its start may be aligned to 4 bytes only.
    End,
    /// The last byte before the buffer faults.
    Start,
}

pub(crate) struct Guarded {
    /// One page that faults, `inner` bytes, one page that faults.
    map: NonNull<u8>,
    page: usize,
    inner: usize,
    /// Where the buffer begins in the inner bytes.
    offset: usize,
    /// Elements end here; the buffer itself is rounded up to 4 bytes, as every device's.
    dense: usize,
}

impl Guarded {
    pub(crate) fn new(dense: usize, flush: Flush) -> Self {
        // SAFETY: no pointers are involved.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let padded = dense.next_multiple_of(4).max(4);
        let inner = padded.next_multiple_of(page);
        let (readable, private) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a fresh mapping, whose inner pages alone become accessible.
        let map = unsafe {
            let map = libc::mmap(
                std::ptr::null_mut(),
                inner + 2 * page,
                libc::PROT_NONE,
                private,
                -1,
                0,
            );
            assert_ne!(
                map,
                libc::MAP_FAILED,
                "{} bytes of address space",
                inner + 2 * page
            );
            assert_eq!(libc::mprotect(map.byte_add(page), inner, readable), 0);
            std::ptr::write_bytes(map.cast::<u8>().add(page), CANARY, inner);
            NonNull::new(map.cast()).expect("a mapping")
        };
        let offset = match flush {
            Flush::End => inner - padded,
            Flush::Start => 0,
        };
        Self {
            map,
            page,
            inner,
            offset,
            dense,
        }
    }

    /// A copy that faults when it is written.
    pub(crate) fn input(content: &[u8], flush: Flush) -> Self {
        let mut buffer = Self::new(content.len(), flush);
        buffer.bytes_mut()[..content.len()].copy_from_slice(content);
        // SAFETY: the inner pages of our own mapping.
        let status = unsafe {
            libc::mprotect(
                buffer.map.as_ptr().add(buffer.page).cast(),
                buffer.inner,
                libc::PROT_READ,
            )
        };
        assert_eq!(status, 0);
        buffer
    }

    pub(crate) fn address(&self) -> u64 {
        self.map.as_ptr() as u64 + (self.page + self.offset) as u64
    }

    pub(crate) fn fill(&mut self, word: u32) {
        let words = self.dense.next_multiple_of(4).max(4);
        for bytes in self.bytes_mut()[..words].chunks_exact_mut(4) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }

    /// The elements, unless a byte around the buffer was changed.
    pub(crate) fn dense(&self) -> Result<Vec<u8>, String> {
        // SAFETY: the inner pages are readable, and nothing runs that writes them.
        let inner = unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(self.page), self.inner) };
        let end = self.offset + self.dense.next_multiple_of(4).max(4);
        let around = inner[..self.offset].iter().chain(&inner[end..]);
        match around.into_iter().position(|byte| *byte != CANARY) {
            Some(_) => Err("a kernel wrote outside of its output".into()),
            None => Ok(inner[self.offset..self.offset + self.dense].to_vec()),
        }
    }

    /// From the buffer's first byte to the last accessible one.
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the inner pages belong to this buffer alone.
        unsafe {
            let start = self.map.as_ptr().add(self.page + self.offset);
            std::slice::from_raw_parts_mut(start, self.inner - self.offset)
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: our own mapping, in its whole length; no kernel runs.
        unsafe { libc::munmap(self.map.as_ptr().cast(), self.inner + 2 * self.page) };
    }
}
