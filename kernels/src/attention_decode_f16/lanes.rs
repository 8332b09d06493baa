//! Sums side by side, in a vector register where the processor has one: eight, or sixteen. The compiler alone finds other
//! vectors, across the queries, and is thirty times slower.

use bytemuck::Pod;
use half::f16;

use super::VECTOR;

pub(super) trait Lanes: Copy {
    /// As many as there are lanes.
    type Singles: Pod;
    type Halves: Pod;

    const ZERO: Self;

    /// Vectors of values that are worked on side by side, at most: so many sums of each query, and registers for one query's.
    const VECTORS: usize;

    fn splat(value: f32) -> Self;

    fn read(values: &Self::Singles) -> Self;

    fn write(self, values: &mut Self::Singles);

    fn widen(halves: &Self::Halves) -> Self;

    /// self + a b, rounded once.
    fn add_product(self, a: Self, b: Self) -> Self;

    fn total(self) -> f32;

    /// Of each: four take half of the steps together.
    fn totals<const N: usize>(all: [Self; N]) -> [f32; N];

    /// Asks for a head that will be read soon: caches are read a piece here and a piece there, which no processor foresees.
    fn fetch(head: &[u16]);
}

impl Lanes for [f32; VECTOR] {
    type Singles = [f32; VECTOR];
    type Halves = [u16; VECTOR];

    const ZERO: Self = [0.0; VECTOR];

    const VECTORS: usize = 2;

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
        reason = "vector instructions, of processors that `has_avx2` has found to have them"
    )]

    use std::arch::x86_64::{
        __m128i, __m256, __m256i, __m512, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadu_si128,
        _mm_movehdup_ps, _mm_movehl_ps, _mm_storeu_ps, _mm256_add_ps, _mm256_castpd_ps, _mm256_castps_pd,
        _mm256_castps256_ps128, _mm256_cvtph_ps, _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
        _mm256_loadu_si256, _mm256_set1_ps, _mm256_storeu_ps, _mm256_unpackhi_pd, _mm256_unpackhi_ps,
        _mm256_unpacklo_pd, _mm256_unpacklo_ps, _mm512_castps_pd, _mm512_castps512_ps256, _mm512_cvtph_ps,
        _mm512_extractf64x4_pd, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps,
    };

    use super::{Lanes, VECTOR};

    /// Lanes of the widest register.
    pub(in super::super) const WIDE: usize = 2 * VECTOR;

    /// A register. Made only where [`has_avx2`](crate::wide::has_avx2), by callers that are compiled for such processors.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Register(__m256);

    // SAFETY of every instruction below: see `Register`; pointers are those of eight elements.
    impl Lanes for Register {
        type Singles = [f32; VECTOR];
        type Halves = [u16; VECTOR];

        // SAFETY: zeros are a vector of floats.
        const ZERO: Self = Self(unsafe { std::mem::zeroed() });

        const VECTORS: usize = 2;

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
                crate::wide::fetch(line.as_ptr());
            }
        }
    }

    /// A register of AVX-512. Made only where it [`is_wide`] as well.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Wide(__m512);

    // SAFETY as above; pointers are those of sixteen elements.
    impl Lanes for Wide {
        type Singles = [f32; WIDE];
        type Halves = [u16; WIDE];

        // SAFETY: zeros are a vector of floats.
        const ZERO: Self = Self(unsafe { std::mem::zeroed() });

        const VECTORS: usize = 4;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(value) })
        }

        #[inline(always)]
        fn read(values: &[f32; WIDE]) -> Self {
            Self(unsafe { _mm512_loadu_ps(values.as_ptr()) })
        }

        #[inline(always)]
        fn write(self, values: &mut [f32; WIDE]) {
            unsafe { _mm512_storeu_ps(values.as_mut_ptr(), self.0) }
        }

        #[inline(always)]
        fn widen(halves: &[u16; WIDE]) -> Self {
            Self(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().cast::<__m256i>())) })
        }

        #[inline(always)]
        fn add_product(self, a: Self, b: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
        }

        #[inline(always)]
        fn total(self) -> f32 {
            self.halved().total()
        }

        #[inline(always)]
        fn totals<const N: usize>(all: [Self; N]) -> [f32; N] {
            let mut halves = [Register::ZERO; N];
            for (half, lanes) in halves.iter_mut().zip(all) {
                *half = lanes.halved();
            }
            Register::totals(halves)
        }

        #[inline(always)]
        fn fetch(head: &[u16]) {
            Register::fetch(head);
        }
    }

    impl Wide {
        /// Sums of two lanes each.
        #[inline(always)]
        fn halved(self) -> Register {
            unsafe {
                let upper = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0));
                Register(_mm256_add_ps(
                    _mm512_castps512_ps256(self.0),
                    _mm256_castpd_ps(upper),
                ))
            }
        }
    }
}
