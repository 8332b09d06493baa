//! Eight sums side by side, in a vector register where the processor has one. The compiler alone finds other vectors, across
//! the queries, and is thirty times slower.

use half::f16;

use super::VECTOR;

pub(super) trait Lanes: Copy {
    const ZERO: Self;

    fn splat(value: f32) -> Self;

    fn read(values: &[f32; VECTOR]) -> Self;

    fn write(self, values: &mut [f32; VECTOR]);

    fn widen(halves: &[u16; VECTOR]) -> Self;

    /// self + a b, rounded once.
    fn add_product(self, a: Self, b: Self) -> Self;

    fn total(self) -> f32;

    /// Of each: four take half of the steps together.
    fn totals<const N: usize>(all: [Self; N]) -> [f32; N];

    /// Asks for a head that will be read soon: caches are read a piece here and a piece there, which no processor foresees.
    fn fetch(head: &[u16]);
}

impl Lanes for [f32; VECTOR] {
    const ZERO: Self = [0.0; VECTOR];

    fn splat(value: f32) -> Self {
        [value; VECTOR]
    }

    fn read(values: &[f32; VECTOR]) -> Self {
        *values
    }

    fn write(self, values: &mut [f32; VECTOR]) {
        *values = self;
    }

    fn widen(halves: &[u16; VECTOR]) -> Self {
        halves.map(|bits| f16::from_bits(bits).to_f32())
    }

    fn add_product(mut self, a: Self, b: Self) -> Self {
        for lane in 0..VECTOR {
            self[lane] += a[lane] * b[lane];
        }
        self
    }

    fn total(self) -> f32 {
        self.iter().sum()
    }

    fn totals<const N: usize>(all: [Self; N]) -> [f32; N] {
        all.map(Self::total)
    }

    fn fetch(_head: &[u16]) {}
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    #![allow(
        unsafe_code,
        reason = "vector instructions, of processors that `is_available` has found to have them"
    )]

    use std::arch::x86_64::{
        __m128i, __m256, _MM_HINT_T0, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadu_si128,
        _mm_movehdup_ps, _mm_movehl_ps, _mm_prefetch, _mm_storeu_ps, _mm256_add_ps, _mm256_castpd_ps,
        _mm256_castps_pd, _mm256_castps256_ps128, _mm256_cvtph_ps, _mm256_extractf128_ps, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm256_unpackhi_pd, _mm256_unpackhi_ps,
        _mm256_unpacklo_pd, _mm256_unpacklo_ps,
    };

    use super::{Lanes, VECTOR};

    pub(in super::super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }

    /// A register. Made only where [`is_available`], by callers that are compiled for such processors.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Register(__m256);

    // SAFETY of every instruction below: see `Register`; pointers are those of eight elements.
    impl Lanes for Register {
        // SAFETY: zeros are a vector of floats.
        const ZERO: Self = Self(unsafe { std::mem::zeroed() });

        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(unsafe { _mm256_set1_ps(value) })
        }

        #[inline(always)]
        fn read(values: &[f32; VECTOR]) -> Self {
            Self(unsafe { _mm256_loadu_ps(values.as_ptr()) })
        }

        #[inline(always)]
        fn write(self, values: &mut [f32; VECTOR]) {
            unsafe { _mm256_storeu_ps(values.as_mut_ptr(), self.0) }
        }

        #[inline(always)]
        fn widen(halves: &[u16; VECTOR]) -> Self {
            Self(unsafe { _mm256_cvtph_ps(_mm_loadu_si128(halves.as_ptr().cast::<__m128i>())) })
        }

        #[inline(always)]
        fn add_product(self, a: Self, b: Self) -> Self {
            Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
        }

        #[inline(always)]
        fn total(self) -> f32 {
            unsafe {
                let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
            }
        }

        #[inline(always)]
        fn totals<const N: usize>(all: [Self; N]) -> [f32; N] {
            let mut totals = [0.0; N];
            let [a, b, c, d] = all[..] else {
                for (total, lanes) in totals.iter_mut().zip(all) {
                    *total = lanes.total();
                }
                return totals;
            };
            unsafe {
                let ab = _mm256_add_ps(_mm256_unpacklo_ps(a.0, b.0), _mm256_unpackhi_ps(a.0, b.0));
                let cd = _mm256_add_ps(_mm256_unpacklo_ps(c.0, d.0), _mm256_unpackhi_ps(c.0, d.0));
                let (ab, cd) = (_mm256_castps_pd(ab), _mm256_castps_pd(cd));
                let firsts = _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd));
                let seconds = _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd));
                let two_each = _mm256_add_ps(firsts, seconds);
                let upper = _mm256_extractf128_ps::<1>(two_each);
                _mm_storeu_ps(
                    totals.as_mut_ptr(),
                    _mm_add_ps(_mm256_castps256_ps128(two_each), upper),
                );
            }
            totals
        }

        #[inline(always)]
        fn fetch(head: &[u16]) {
            const LINE: usize = 64 / size_of::<u16>();
            for line in head.chunks(LINE) {
                // Prefetching reads nothing.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
            }
        }
    }
}
