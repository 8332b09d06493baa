// Copy, 16 bytes a thread at a time. Mirrors mem_copy.comp; reference.rs is the authority.
//   x, y   n floats, any alignment; 16-byte vectors where both are aligned
//   grid   any number of blocks of any size: threads stride over the vectors

extern "C" __global__ void mem_copy(const float* __restrict__ x, float* __restrict__ y, unsigned n) {
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    const bool aligned = ((reinterpret_cast<unsigned long long>(x) | reinterpret_cast<unsigned long long>(y)) & 15) == 0;
    const unsigned long long vectors = aligned ? n / 4 : 0;
    const float4* __restrict__ from = reinterpret_cast<const float4*>(x);
    float4* __restrict__ to = reinterpret_cast<float4*>(y);
#pragma unroll 4
    for (unsigned long long i = first; i < vectors; i += stride) {
        to[i] = from[i];
    }
    for (unsigned long long i = 4 * vectors + first; i < n; i += stride) {
        y[i] = x[i];
    }
}
