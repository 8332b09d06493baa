// prelude: half/half.cuh
// y = W x with 4-bit weights and i8 activations in blocks of 32, y in f32. Mirrors gemv_q4.comp; reference.rs is the authority.
//   w         n * blocks blocks of 16 bytes, row-major, on 16 bytes: byte j holds weights j, low, and j + 16, each plus 8
//   scales    n * blocks halves
//   x         blocks blocks of 32 signed bytes, on 16 bytes
//   x_scales  blocks halves
//   n blocks  n * blocks below 2^32, blocks below 2^31
//   grid      any number of blocks of 256 threads: sixteen rows a block, 32 lanes for two rows; blocks stride over the rows
// Lane t takes blocks t, t + 32, ..., so a warp reads 512 bytes of weights and 64 of scales at once, for two rows that share
// what it reads of x. A block's sum is an exact integer.

#define ROWS 16
#define ALL 0xFFFFFFFF

#ifndef CUDA_SHIM
// sum + a[0] b[0] + a[1] b[1] + a[2] b[2] + a[3] b[3] over signed bytes.
static __device__ int dot4(int a, int b, int sum) {
    int total;
    asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(total) : "r"(a), "r"(b), "r"(sum));
    return total;
}
#endif

// Adds 16 times the products of the eight weights of a word: a nibble above four zero bits, its highest bit turned, is
// 16 times the nibble minus 8 as a signed byte.
static __device__ int add_eight(unsigned w, int low, int high, int sum) {
    const unsigned first = (w << 4 & 0xF0F0F0F0) ^ 0x80808080, second = (w & 0xF0F0F0F0) ^ 0x80808080;
    return dot4(static_cast<int>(second), high, dot4(static_cast<int>(first), low, sum));
}

static __device__ int sum_of(uint4 w, int4 low, int4 high) {
    const int half = add_eight(w.y, low.y, high.y, add_eight(w.x, low.x, high.x, 0));
    return add_eight(w.w, low.w, high.w, add_eight(w.z, low.z, high.z, half));
}

extern "C" __global__ void __launch_bounds__(256)
    gemv_q4(const uint4* __restrict__ w, const unsigned short* __restrict__ scales, const int4* __restrict__ x,
            const unsigned short* __restrict__ x_scales, float* __restrict__ y, unsigned n, unsigned blocks) {
    const unsigned lane = threadIdx.x % 32, slot = threadIdx.x / 32 * 2;
    for (unsigned first = blockIdx.x * ROWS; first < n; first += gridDim.x * ROWS) {
        // Lanes past the last row repeat it.
        const unsigned left = n - first - 1;
        const unsigned rows[2] = {first + (slot < left ? slot : left), first + (slot + 1 < left ? slot + 1 : left)};
        float sums[2] = {};
#pragma unroll 2
        for (unsigned i = lane; i < blocks; i += 32) {
            const int4 low = x[2 * i], high = x[2 * i + 1];
            const float x_scale = widen(x_scales[i]) * 0.0625f;
#pragma unroll
            for (unsigned r = 0; r < 2; r++) {
                const unsigned at = rows[r] * blocks + i;
                sums[r] += widen(scales[at]) * x_scale * static_cast<float>(sum_of(w[at], low, high));
            }
        }
#pragma unroll
        for (unsigned other = 16; other > 0; other /= 2) {
            sums[0] += __shfl_xor_sync(ALL, sums[0], other);
            sums[1] += __shfl_xor_sync(ALL, sums[1], other);
        }
        if (lane < 2 && slot + lane <= left) y[first + slot + lane] = lane ? sums[1] : sums[0];
    }
}
