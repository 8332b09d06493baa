//! That the shim notices what it promises to notice.

use std::path::PathBuf;

use super::guarded::{Flush, Guarded};
use super::library::Library;

/// Runs `kernel(out, n)` on one block, in ascending and in descending order of threads.
fn both_orders(source: &str, threads: u32, n: u32, flush: Flush) -> [Result<Vec<u32>, String>; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("kernel.cu");
    std::fs::write(&path, source).expect("a writable folder");
    let library = Library::of(&path).expect("g++ compiles the source");
    [false, true].map(|descending| {
        let mut out = Guarded::new(4 * n as usize, flush);
        out.fill(0);
        let arguments = [out.address(), u64::from(n)];
        library.launch("kernel", [1, 1, 1], [threads, 1, 1], &arguments, descending)?;
        let words = out.dense()?;
        Ok(words
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().expect("4 bytes")))
            .collect())
    })
}

#[test]
fn a_barrier_orders_what_threads_write_and_read() {
    let source = r#"extern "C" __global__ void kernel(unsigned* out, unsigned n) {
        __shared__ unsigned seen[256];
        seen[threadIdx.x] = threadIdx.x;
        __syncthreads();
        if (threadIdx.x < n) out[threadIdx.x] = seen[blockDim.x - 1 - threadIdx.x];
    }"#;
    let expected: Vec<u32> = (0..100).rev().collect();
    for outcome in both_orders(source, 100, 100, Flush::End) {
        assert_eq!(outcome, Ok(expected.clone()));
    }
}

#[test]
fn a_forgotten_barrier_shows_in_one_of_the_orders() {
    let source = r#"extern "C" __global__ void kernel(unsigned* out, unsigned n) {
        __shared__ unsigned seen[256];
        seen[threadIdx.x] = threadIdx.x;
        if (threadIdx.x < n) out[threadIdx.x] = seen[blockDim.x - 1 - threadIdx.x];
    }"#;
    let [ascending, descending] = both_orders(source, 100, 100, Flush::End);
    assert_ne!(ascending, descending);
}

#[test]
fn a_thread_that_misses_a_barrier_is_an_error() {
    let source = r#"extern "C" __global__ void kernel(unsigned* out, unsigned n) {
        if (threadIdx.x != 7) __syncthreads();
        out[threadIdx.x % n] = 1;
    }"#;
    for outcome in both_orders(source, 64, 64, Flush::End) {
        let error = outcome.expect_err("thread 7 never comes");
        assert!(error.contains("thread 0 waits at line 2"), "{error}");
        assert!(error.contains("1 of 64 have ended"), "{error}");
    }
}

#[test]
fn threads_at_two_different_barriers_are_an_error() {
    let source = r#"extern "C" __global__ void kernel(unsigned* out, unsigned n) {
        if (threadIdx.x < n) {
            __syncthreads();
        } else {
            __syncthreads();
        }
        out[0] = 1;
    }"#;
    for outcome in both_orders(source, 64, 32, Flush::End) {
        assert!(outcome.is_err());
    }
}

#[test]
fn an_access_one_word_past_a_buffer_is_an_error() {
    let source = r#"extern "C" __global__ void kernel(unsigned* out, unsigned n) {
        out[threadIdx.x] = n;
    }"#;
    for outcome in both_orders(source, 8, 7, Flush::End) {
        let error = outcome.expect_err("seven words");
        assert!(
            error.contains("thread (7, 0, 0) reads or writes outside"),
            "{error}"
        );
    }
    for outcome in both_orders(source, 8, 7, Flush::Start) {
        let error = outcome.expect_err("seven words");
        assert!(error.contains("wrote outside"), "{error}");
    }
}

#[test]
fn an_access_one_word_before_a_buffer_is_an_error() {
    let source = r#"extern "C" __global__ void kernel(unsigned* out, unsigned n) {
        out[static_cast<int>(threadIdx.x) - 1] = n;
    }"#;
    for outcome in both_orders(source, 8, 8, Flush::Start) {
        assert!(outcome.expect_err("no word before").contains("thread (0, 0, 0)"));
    }
}

#[test]
fn shared_memory_does_not_begin_with_zeros() {
    let source = r#"extern "C" __global__ void kernel(unsigned* out, unsigned n) {
        __shared__ unsigned fresh[8];
        out[threadIdx.x % n] = fresh[threadIdx.x];
    }"#;
    for outcome in both_orders(source, 8, 8, Flush::End) {
        assert_eq!(outcome, Ok(vec![u32::MAX; 8]));
    }
}

#[test]
fn shuffles_bring_the_value_of_the_other_lane() {
    let source = r#"extern "C" __global__ void kernel(unsigned* out, unsigned n) {
        unsigned sum = threadIdx.x;
        for (unsigned lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(~0u, sum, lanes);
        const unsigned down = __shfl_down_sync(~0u, threadIdx.x, 1);
        if (threadIdx.x < n) out[threadIdx.x] = 1000 * sum + down;
    }"#;
    let lane = |thread: u32| {
        let first = thread / 32 * 32;
        let sum: u32 = (first..first + 32).sum();
        1000 * sum + if thread % 32 == 31 { thread } else { thread + 1 }
    };
    let expected: Vec<u32> = (0..64).map(lane).collect();
    for outcome in both_orders(source, 64, 64, Flush::End) {
        assert_eq!(outcome, Ok(expected.clone()));
    }
}
