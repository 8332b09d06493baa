// prelude: half/sum.cuh
// y = (x - mean) / sqrt(mean((x - mean)^2) + 1e-5) * w + b by rows, f16 in and out, f32 between. Mirrors
// layernorm_f16.comp; reference.rs is the authority.
//   x, y   rows * cols halves, row-major, aligned to 2 bytes
//   w, b   cols halves
//   cols   columns per row, > 0; need not be a multiple of blockDim.x
//   share  the bits of 1 / cols
//   grid   any number of blocks of 256 threads: blocks stride over the rows; 1 KiB of shared memory

static __device__ float sum_of_pair(unsigned x) {
    const float2 v = widen2(x);
    return v.x + v.y;
}

static __device__ float squares_of_pair(unsigned x, float mean) {
    const float2 v = widen2(x);
    const float low = v.x - mean, high = v.y - mean;
    return low * low + high * high;
}

static __device__ unsigned normal_pair(unsigned x, unsigned w, unsigned b, float mean, float scale) {
    const float2 v = widen2(x), u = widen2(w), t = widen2(b);
    return narrow2((v.x - mean) * scale * u.x + t.x, (v.y - mean) * scale * u.y + t.y);
}

extern "C" __global__ void __launch_bounds__(LANES)
    layernorm_f16(const unsigned short* __restrict__ x, const unsigned short* __restrict__ w,
                  const unsigned short* __restrict__ b, unsigned short* __restrict__ y, unsigned rows, unsigned cols,
                  unsigned share) {
    const unsigned long long bits = reinterpret_cast<unsigned long long>(x) | reinterpret_cast<unsigned long long>(w) |
                                    reinterpret_cast<unsigned long long>(b) | reinterpret_cast<unsigned long long>(y);
    const unsigned vectors = cols % 8 == 0 && (bits & 15) == 0 ? cols / 8 : 0;
    const unsigned tail = 8 * vectors + threadIdx.x;
    const uint4* wide_w = reinterpret_cast<const uint4*>(w);
    const uint4* wide_b = reinterpret_cast<const uint4*>(b);
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        const unsigned short* from = x + static_cast<unsigned long long>(row) * cols;
        unsigned short* to = y + static_cast<unsigned long long>(row) * cols;
        const uint4* wide_from = reinterpret_cast<const uint4*>(from);
        uint4* wide_to = reinterpret_cast<uint4*>(to);

        float sum = 0.0f;
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const uint4 v = wide_from[i];
            sum += (sum_of_pair(v.x) + sum_of_pair(v.y)) + (sum_of_pair(v.z) + sum_of_pair(v.w));
        }
        for (unsigned i = tail; i < cols; i += LANES) sum += widen(from[i]);
        // Not fused with the differences below: a row of one column has exactly its mean.
        const float mean = __fmul_rn(tree_sum(sum), __uint_as_float(share));

        float squares = 0.0f;
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const uint4 v = wide_from[i];
            squares += (squares_of_pair(v.x, mean) + squares_of_pair(v.y, mean)) +
                       (squares_of_pair(v.z, mean) + squares_of_pair(v.w, mean));
        }
        for (unsigned i = tail; i < cols; i += LANES) {
            const float rest = widen(from[i]) - mean;
            squares += rest * rest;
        }
        const float scale = 1.0f / sqrtf(tree_sum(squares) * __uint_as_float(share) + 1e-5f);

        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const uint4 v = wide_from[i], u = wide_w[i], t = wide_b[i];
            wide_to[i] = make_uint4(normal_pair(v.x, u.x, t.x, mean, scale), normal_pair(v.y, u.y, t.y, mean, scale),
                                    normal_pair(v.z, u.z, t.z, mean, scale), normal_pair(v.w, u.w, t.w, mean, scale));
        }
        for (unsigned i = tail; i < cols; i += LANES) {
            to[i] = narrow((widen(from[i]) - mean) * scale * widen(w[i]) + widen(b[i]));
        }
    }
}
