// One of the k largest logits of each row, drawn by its weight. Mirrors sampling_topk_draw.comp; mod.rs has the
// definition and reference.rs is the authority.
//   largest  rows * k logits as their bits, the largest of a row first
//   columns  their columns
//   scales   rows floats
//   draws    rows words
//   tokens   rows words
//   k        1 to 256
//   grid     rows blocks of 256 threads, 2 KiB of shared memory

#define THREADS 256

static __device__ unsigned high(unsigned a, unsigned b) {
    return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}

static __device__ unsigned weight(unsigned top, unsigned logit, float scale) {
    const float below = __fadd_rn(__uint_as_float(top), __uint_as_float(logit ^ 0x80000000));
    unsigned exponent = __float_as_uint(__fmul_rn(below, scale));
    if (exponent > 0x41F80000) exponent = 0x41F80000;  // 31
    const unsigned fixed = __float_as_uint(__fadd_rn(__uint_as_float(exponent), 32.0f)) & 0x7FFFFF;
    const unsigned fraction = fixed << 14;
    unsigned sum = 0x003E860A;
    sum = 0x025CCA86 - high(fraction, sum);
    sum = 0x0E293C23 - high(fraction, sum);
    sum = 0x3D7CE05B - high(fraction, sum);
    sum = 0xB171E9B3 - high(fraction, sum);
    return ((1u << 22) - (high(fraction, sum) >> 10)) >> (fixed >> 18);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    sampling_topk_draw(const unsigned* __restrict__ largest, const unsigned* __restrict__ columns,
                           const float* __restrict__ scales, const unsigned* __restrict__ draws,
                           unsigned* __restrict__ tokens, unsigned k) {
    __shared__ unsigned sums[2][THREADS];
    const unsigned thread = threadIdx.x, row = blockIdx.x;
    const unsigned mine = thread < k ? weight(largest[row * k], largest[row * k + thread], scales[row]) : 0;
    unsigned sum = mine;
#pragma unroll
    for (unsigned step = 1, turn = 0; step < THREADS; step *= 2, turn ^= 1) {
        sums[turn][thread] = sum;
        __syncthreads();
        if (thread >= step) sum += sums[turn][thread - step];
    }
    sums[0][thread] = sum;
    __syncthreads();
    const unsigned target = high(draws[row], sums[0][THREADS - 1]);
    if (sum > target && sum - mine <= target) tokens[row] = columns[row * k + thread];
}
