// prelude: half/half.cuh
// y = x / (1 + exp(-2u)) with 2u = x (2 sqrt(2/pi) + 2 sqrt(2/pi) 0.044715 x^2), f16 in and out, f32 between. Mirrors
// gelu_f16.comp; reference.rs is the authority.
//   x, y   n halves, aligned to 2 bytes; 16-byte vectors where both are aligned
//   grid   any number of blocks of any size: threads stride over the vectors

static __device__ float gelu(float x) {
    const float twice_u = x * (1.5957691f + 0.071354814f * (x * x));
    return x / (1.0f + expf(-twice_u));
}

static __device__ unsigned gelu_pair(unsigned x) {
    const float2 v = widen2(x);
    return narrow2(gelu(v.x), gelu(v.y));
}

extern "C" __global__ void gelu_f16(const unsigned short* __restrict__ x, unsigned short* __restrict__ y, unsigned n) {
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    const bool aligned = ((reinterpret_cast<unsigned long long>(x) | reinterpret_cast<unsigned long long>(y)) & 15) == 0;
    const unsigned long long vectors = aligned ? n / 8 : 0;
    const uint4* __restrict__ from = reinterpret_cast<const uint4*>(x);
    uint4* __restrict__ to = reinterpret_cast<uint4*>(y);
    for (unsigned long long i = first; i < vectors; i += stride) {
        const uint4 v = from[i];
        to[i] = make_uint4(gelu_pair(v.x), gelu_pair(v.y), gelu_pair(v.z), gelu_pair(v.w));
    }
    for (unsigned long long i = 8 * vectors + first; i < n; i += stride) {
        y[i] = narrow(gelu(widen(x[i])));
    }
}
