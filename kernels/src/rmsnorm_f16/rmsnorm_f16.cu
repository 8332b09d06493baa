// prelude: half/sum.cuh
// y = x / sqrt(mean(x^2) + epsilon) * w by rows, f16 in and out, f32 between. Mirrors rmsnorm_f16.comp; reference.rs is
// the authority.
//   x, y   rows * cols halves, row-major, aligned to 2 bytes
//   w      cols halves
//   cols   columns per row, > 0; need not be a multiple of blockDim.x
//   epsilon  an f32's bits
//   grid   any number of blocks of 256 threads: blocks stride over the rows; 1 KiB of shared memory

static __device__ float square_of_pair(unsigned pair) {
    const float2 v = widen2(pair);
    return v.x * v.x + v.y * v.y;
}

static __device__ unsigned scaled_pair(unsigned x, unsigned w, float scale) {
    const unsigned low = narrow(widen(x & 0xFFFF) * scale * widen(w & 0xFFFF));
    const unsigned high = narrow(widen(x >> 16) * scale * widen(w >> 16));
    return low | high << 16;
}

extern "C" __global__ void __launch_bounds__(LANES)
    rmsnorm_f16(const unsigned short* __restrict__ x, const unsigned short* __restrict__ w,
                unsigned short* __restrict__ y, unsigned rows, unsigned cols, unsigned epsilon) {
    const unsigned long long bits = reinterpret_cast<unsigned long long>(x) | reinterpret_cast<unsigned long long>(w) |
                                    reinterpret_cast<unsigned long long>(y);
    const unsigned vectors = cols % 8 == 0 && (bits & 15) == 0 ? cols / 8 : 0;
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        const unsigned long long start = static_cast<unsigned long long>(row) * cols;
        const uint4* wide_x = reinterpret_cast<const uint4*>(x + start);
        const uint4* wide_w = reinterpret_cast<const uint4*>(w);
        uint4* wide_y = reinterpret_cast<uint4*>(y + start);
        float squares = 0.0f;
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const uint4 v = wide_x[i];
            squares += (square_of_pair(v.x) + square_of_pair(v.y)) + (square_of_pair(v.z) + square_of_pair(v.w));
        }
        for (unsigned i = 8 * vectors + threadIdx.x; i < cols; i += LANES) {
            const float v = widen(x[start + i]);
            squares += v * v;
        }
        const float mean = tree_sum(squares) / static_cast<float>(cols);
        const float scale = 1.0f / sqrtf(mean + __uint_as_float(epsilon));
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const uint4 v = wide_x[i], u = wide_w[i];
            wide_y[i] = make_uint4(scaled_pair(v.x, u.x, scale), scaled_pair(v.y, u.y, scale),
                                   scaled_pair(v.z, u.z, scale), scaled_pair(v.w, u.w, scale));
        }
        for (unsigned i = 8 * vectors + threadIdx.x; i < cols; i += LANES) {
            y[start + i] = narrow(widen(x[start + i]) * scale * widen(w[i]));
        }
    }
}
