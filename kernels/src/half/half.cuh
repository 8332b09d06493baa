// Halves in device code, widened to f32 and narrowed by rules of their own. Mirrors half.glsl. A word holds two, the first
// in its low bits.

#ifndef CUDA_SHIM
[[maybe_unused]] static __device__ float widen(unsigned short half) {
    float single;
    asm("cvt.f32.f16 %0, %1;" : "=f"(single) : "h"(half));
    return single;
}
#endif

// Nearest half, ties to even, by integer operations: some drivers fuse a product into their conversion.
[[maybe_unused]] static __device__ unsigned narrow(float single) {
    const unsigned bits = __float_as_uint(single), size = bits & 0x7FFFFFFF;
    const unsigned normal = (size - 0x38000000 + 0xFFF + (size >> 13 & 1)) >> 13;
    const unsigned significand = (size & 0x7FFFFF) | 0x800000;
    const unsigned below = 126 - (size >> 23);               // bits of the significand below a subnormal half's last
    const unsigned shift = below - 14 < 11 ? below : 25;     // with 25 and more all of it rounds away
    const unsigned subnormal = (significand + (1u << (shift - 1)) - 1 + (significand >> shift & 1)) >> shift;
    unsigned half = size < 0x38800000 ? subnormal : normal;  // 2^-14
    if (size >= 0x477FF000) half = 0x7C00;                   // past 65504 by half a step or more: infinity
    if (size > 0x7F800000) half = 0x7E00;                    // NaN
    return half | (bits >> 16 & 0x8000);
}

// Both halves of a word.
[[maybe_unused]] static __device__ float2 widen2(unsigned pair) {
    return make_float2(widen(pair & 0xFFFF), widen(pair >> 16));
}

[[maybe_unused]] static __device__ unsigned narrow2(float low, float high) {
    return narrow(low) | narrow(high) << 16;
}

