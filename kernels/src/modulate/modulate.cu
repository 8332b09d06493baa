// prelude: half/sum.cuh
// y = (x - mean) / sqrt(mean((x - mean)^2) + 1e-6) * (1 + scale) + shift by rows, f16 in and out, f32 between. Mirrors
// modulate.comp.
//   x, y     rows * cols halves, row-major; 8 divides cols, and all are aligned to 16 bytes
//   vectors  six vectors of cols halves for each sample: number `shift` is the shift, the next the scale, each plus its bias
//   bias     six vectors of cols halves
//   tokens   rows of one sample
//   share    the bits of 1 / cols
//   grid     any number of blocks of 256 threads: blocks stride over the rows; 1 KiB of shared memory

static __device__ float sum_of_pair(unsigned x) {
    const float2 v = widen2(x);
    return v.x + v.y;
}

static __device__ float squares_of_pair(unsigned x, float mean) {
    const float2 v = widen2(x);
    const float low = v.x - mean, high = v.y - mean;
    return low * low + high * high;
}

static __device__ float2 sum_of_pairs(unsigned a, unsigned b) {
    const float2 v = widen2(a), u = widen2(b);
    return make_float2(v.x + u.x, v.y + u.y);
}

static __device__ unsigned modulated_pair(unsigned x, float2 shift, float2 scale, float mean, float normal) {
    const float2 v = widen2(x);
    return narrow2((v.x - mean) * normal * (1.0f + scale.x) + shift.x, (v.y - mean) * normal * (1.0f + scale.y) + shift.y);
}

extern "C" __global__ void __launch_bounds__(LANES)
    modulate(const uint4* __restrict__ x, const uint4* __restrict__ vectors, const uint4* __restrict__ bias,
             uint4* __restrict__ y, unsigned rows, unsigned cols, unsigned tokens, unsigned shift, unsigned share) {
    const unsigned width = cols / 8;
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        const uint4* from = x + row * width;
        float sum = 0.0f;
        for (unsigned i = threadIdx.x; i < width; i += LANES) {
            const uint4 v = from[i];
            sum += (sum_of_pair(v.x) + sum_of_pair(v.y)) + (sum_of_pair(v.z) + sum_of_pair(v.w));
        }
        const float mean = tree_sum(sum) * __uint_as_float(share);

        float squares = 0.0f;
        for (unsigned i = threadIdx.x; i < width; i += LANES) {
            const uint4 v = from[i];
            squares += (squares_of_pair(v.x, mean) + squares_of_pair(v.y, mean)) +
                       (squares_of_pair(v.z, mean) + squares_of_pair(v.w, mean));
        }
        const float normal = 1.0f / sqrtf(tree_sum(squares) * __uint_as_float(share) + 1e-6f);

        const uint4 *shifts = vectors + (row / tokens * 6 + shift) * width, *scales = shifts + width;
        const uint4 *shift_bias = bias + shift * width, *scale_bias = shift_bias + width;
        for (unsigned i = threadIdx.x; i < width; i += LANES) {
            const uint4 v = from[i], h = shifts[i], hb = shift_bias[i], c = scales[i], cb = scale_bias[i];
            y[row * width + i] = make_uint4(
                modulated_pair(v.x, sum_of_pairs(h.x, hb.x), sum_of_pairs(c.x, cb.x), mean, normal),
                modulated_pair(v.y, sum_of_pairs(h.y, hb.y), sum_of_pairs(c.y, cb.y), mean, normal),
                modulated_pair(v.z, sum_of_pairs(h.z, hb.z), sum_of_pairs(c.z, cb.z), mean, normal),
                modulated_pair(v.w, sum_of_pairs(h.w, hb.w), sum_of_pairs(c.w, cb.w), mean, normal));
        }
    }
}
