// Softmax by rows. Mirrors softmax_f32.comp; reference.rs is the authority.
//   x, y   rows * cols floats, row-major, any alignment
//   cols   columns per row, > 0; need not be a multiple of blockDim.x
//   grid   any number of blocks of 256 threads: blocks stride over the rows; 1 KiB of shared memory

#define LANES 256

struct Sum {
    static __device__ float of(float a, float b) { return a + b; }
};

struct Max {
    static __device__ float of(float a, float b) { return fmaxf(a, b); }
};

// Combines the lanes in a fixed tree; every lane gets the result.
template <class Operation>
static __device__ float tree(float* partial, float mine) {
    const unsigned lane = threadIdx.x;
    partial[lane] = mine;
    for (unsigned half = LANES / 2; half > 0; half /= 2) {
        __syncthreads();
        if (lane < half) partial[lane] = Operation::of(partial[lane], partial[lane + half]);
    }
    __syncthreads();
    const float all = partial[0];
    __syncthreads();  // every lane has read the result before the next use overwrites it
    return all;
}

static __device__ float largest(float4 v) {
    return fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w));
}

static __device__ float4 weights(float4 v, float top) {
    return make_float4(expf(v.x - top), expf(v.y - top), expf(v.z - top), expf(v.w - top));
}

extern "C" __global__ void __launch_bounds__(LANES)
    softmax_f32(const float* __restrict__ x, float* __restrict__ y, unsigned rows, unsigned cols) {
    __shared__ float partial[LANES];
    const unsigned long long bits = reinterpret_cast<unsigned long long>(x) | reinterpret_cast<unsigned long long>(y);
    const unsigned vectors = cols % 4 == 0 && (bits & 15) == 0 ? cols / 4 : 0;
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        const float* from = x + static_cast<unsigned long long>(row) * cols;
        float* to = y + static_cast<unsigned long long>(row) * cols;
        const float4* wide_from = reinterpret_cast<const float4*>(from);
        float4* wide_to = reinterpret_cast<float4*>(to);
        const unsigned tail = 4 * vectors + threadIdx.x;

        float top = __int_as_float(0xFF800000);  // -infinity: a lane without columns
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) top = fmaxf(top, largest(wide_from[i]));
        for (unsigned i = tail; i < cols; i += LANES) top = fmaxf(top, from[i]);
        top = tree<Max>(partial, top);

        float sum = 0.0f;
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const float4 e = weights(wide_from[i], top);
            sum += (e.x + e.y) + (e.z + e.w);
        }
        for (unsigned i = tail; i < cols; i += LANES) sum += expf(from[i] - top);
        const float share = 1.0f / tree<Sum>(partial, sum);

        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const float4 e = weights(wide_from[i], top);
            wide_to[i] = make_float4(e.x * share, e.y * share, e.z * share, e.w * share);
        }
        for (unsigned i = tail; i < cols; i += LANES) to[i] = expf(from[i] - top) * share;
    }
}
