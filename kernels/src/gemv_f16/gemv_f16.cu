// prelude: half/half.cuh
// y = W x, f16 in, sums and y in f32. Mirrors gemv_f16.comp and gemv_f16_wide.comp; reference.rs is the authority.
//   w, x, y  n * k halves, row-major, k halves, n floats; aligned to their elements
//   n * k    below 2^32
//   grid     any number of blocks of 256 threads: eight rows a block, 32 lanes a row; blocks stride over the rows
// With whole vectors of eight halves lane t takes vectors t, t + 32, ... into eight sums, otherwise columns t, t + 32, ...

#define ROWS 8
#define ALL 0xFFFFFFFF

static __device__ void add_pair(float* low, float* high, unsigned w, unsigned x) {
    const float2 a = widen2(w), b = widen2(x);
    *low += a.x * b.x;
    *high += a.y * b.y;
}

static __device__ float sum_of_vectors(const uint4* __restrict__ w, const uint4* __restrict__ x, unsigned vectors,
                                       unsigned lane) {
    float sum[8] = {};
#pragma unroll 4
    for (unsigned i = lane; i < vectors; i += 32) {
        const uint4 a = w[i], b = x[i];
        add_pair(&sum[0], &sum[1], a.x, b.x);
        add_pair(&sum[2], &sum[3], a.y, b.y);
        add_pair(&sum[4], &sum[5], a.z, b.z);
        add_pair(&sum[6], &sum[7], a.w, b.w);
    }
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static __device__ float sum_of_halves(const unsigned short* __restrict__ w, const unsigned short* __restrict__ x, unsigned k,
                                      unsigned lane) {
    float sum = 0.0f;
    for (unsigned i = lane; i < k; i += 32) {
        sum += widen(w[i]) * widen(x[i]);
    }
    return sum;
}

extern "C" __global__ void __launch_bounds__(256)
    gemv_f16(const unsigned short* __restrict__ w, const unsigned short* __restrict__ x, float* __restrict__ y, unsigned n,
             unsigned k) {
    const unsigned lane = threadIdx.x % 32, slot = threadIdx.x / 32;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(w) | reinterpret_cast<unsigned long long>(x);
    const bool wide = k % 8 == 0 && (bits & 15) == 0;
    for (unsigned first = blockIdx.x * ROWS; first < n; first += gridDim.x * ROWS) {
        // Lanes past the last row repeat it.
        const unsigned row = first + slot < n ? first + slot : n - 1;
        const unsigned short* weights = w + static_cast<unsigned long long>(row) * k;
        float sum = wide ? sum_of_vectors(reinterpret_cast<const uint4*>(weights), reinterpret_cast<const uint4*>(x), k / 8, lane)
                         : sum_of_halves(weights, x, k, lane);
        for (unsigned other = 16; other > 0; other /= 2) {
            sum += __shfl_xor_sync(ALL, sum, other);
        }
        if (lane == 0 && first + slot < n) y[row] = sum;
    }
}
