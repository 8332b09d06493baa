// y = b + 0.5 * c, product and sum each rounded. Mirrors mem_triad.comp; reference.rs is the authority.
//   b, c, y   n floats, any alignment; 16-byte vectors where all are aligned
//   grid      any number of blocks of any size: threads stride over the vectors

static __device__ float triad(float b, float c) {
    return __fadd_rn(b, __fmul_rn(0.5f, c));
}

extern "C" __global__ void mem_triad(const float* __restrict__ b, const float* __restrict__ c, float* __restrict__ y,
                                     unsigned n) {
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(b) | reinterpret_cast<unsigned long long>(c) |
                                    reinterpret_cast<unsigned long long>(y);
    const unsigned long long vectors = (bits & 15) == 0 ? n / 4 : 0;
    const float4* __restrict__ from_b = reinterpret_cast<const float4*>(b);
    const float4* __restrict__ from_c = reinterpret_cast<const float4*>(c);
    float4* __restrict__ to = reinterpret_cast<float4*>(y);
#pragma unroll 4
    for (unsigned long long i = first; i < vectors; i += stride) {
        const float4 p = from_b[i];
        const float4 q = from_c[i];
        to[i] = make_float4(triad(p.x, q.x), triad(p.y, q.y), triad(p.z, q.z), triad(p.w, q.w));
    }
    for (unsigned long long i = 4 * vectors + first; i < n; i += stride) {
        y[i] = triad(b[i], c[i]);
    }
}
