// prelude: product/tile.cuh
// C = A * transpose(B), fp8 e4m3 in, bf16 out, sums in f32. Mirrors gemm_fp8.comp.

// Decoded by integers, for devices without arithmetic on fp8: every byte but NaN, 0x7F and 0xFF, which no input holds.
struct E4m3 {
    using Word = unsigned char;
    static __device__ float widen(unsigned bits) {
        const unsigned size = bits & 0x7F;
        // Bias 7 becomes 127; below 2^-6 an implied bit is added and taken away.
        const float normal = __uint_as_float((size << 20) + 0x3C000000);
        const float subnormal = __uint_as_float((size << 20) + 0x3C800000) - 0x1p-6f;
        return __uint_as_float(__float_as_uint(size < 8 ? subnormal : normal) | (bits & 0x80) << 24);
    }
};

extern "C" __global__ void __launch_bounds__(256, 2)
    gemm_fp8(const unsigned char* __restrict__ a, const unsigned char* __restrict__ b, unsigned short* __restrict__ c,
             unsigned m, unsigned n, unsigned k) {
    __shared__ Tiles<STEP_OF<E4m3>> tiles;
    product<E4m3, Bf16>(a, b, c, m, n, k, tiles);
}
