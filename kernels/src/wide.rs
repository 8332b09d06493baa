//! Loops compiled twice: for every processor, and for those with AVX2, where the compiler finds wider vectors.

/// Defines a function whose body is also compiled with AVX2 and FMA and dispatched at run time. Rust never contracts a
/// product and a sum, so both give the same bits.
macro_rules! wide {
    ($(#[$attribute:meta])* $visible:vis fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$attribute])*
        $visible fn $name($($argument: $kind),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($argument: $kind),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $kind),*) $(-> $result)? {
                    plain($($argument),*)
                }
                #[allow(unsafe_code, reason = "calling a function for AVX2 is unsafe without the check just made")]
                // SAFETY: the processor has AVX2 and FMA.
                return unsafe { avx2($($argument),*) };
            }
            plain($($argument),*)
        }
    };
}
pub(crate) use wide;

/// Whether the processor has AVX2, FMA and F16C.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

/// Whether it has AVX-512's foundation too.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512() -> bool {
    has_avx2() && is_x86_feature_detected!("avx512f")
}

/// Sum of `f` over `values`: f32 in each of 32 lanes over stretches of 4096, f64 between stretches.
#[inline(always)]
pub(crate) fn sum_of(values: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    const LANES: usize = 32;
    const STRETCH: usize = 4096;
    let stretches = values.chunks(STRETCH).map(|stretch| {
        let mut lanes = [0.0; LANES];
        let chunks = stretch.chunks_exact(LANES);
        let rest: f32 = chunks.remainder().iter().map(|&value| f(value)).sum();
        for chunk in chunks {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane += f(value);
            }
        }
        f64::from(lanes.iter().sum::<f32>()) + f64::from(rest)
    });
    stretches.sum()
}

/// The largest of `x`; minus infinity without any.
#[inline(always)]
pub(crate) fn maximum(x: &[f32]) -> f32 {
    const LANES: usize = 32;
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, larger);
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, x);
        }
    }
    lanes.into_iter().fold(rest, larger)
}

/// Sum of the lanes of a vector, in a fixed tree.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sum_of_lanes(lanes: std::arch::x86_64::__m256) -> f32 {
    let [a, b, c, d, e, f, g, h]: [f32; 8] = bytemuck::cast(lanes);
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Bytes between what is read of memory in its order and what is fetched: past the end of a page of 4 KiB, where the processor
/// stops fetching ahead by itself, well before that end is reached, and more than memory's latency takes.
#[cfg(target_arch = "x86_64")]
pub(crate) const AHEAD: usize = 3072;

/// Asks for a cache line that is read later, be there one or not.
#[inline(always)]
pub(crate) fn fetch<T>(line: *const T) {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code, reason = "prefetching takes a raw pointer")]
    // SAFETY: prefetching reads nothing and takes any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
