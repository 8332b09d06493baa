// prelude: half/half.cuh
// y = x / (1 + exp(-x)), f16 in and out, f32 between. Mirrors silu.comp.
//   x, y  n halves, 16-byte vectors: 8 divides n
//   grid  any number of blocks of any size: threads stride over the vectors

static __device__ unsigned silu_pair(unsigned x) {
    const float2 v = widen2(x);
    return narrow2(v.x / (1.0f + expf(-v.x)), v.y / (1.0f + expf(-v.y)));
}

extern "C" __global__ void silu(const uint4* __restrict__ x, uint4* __restrict__ y, unsigned n) {
    const unsigned stride = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n / 8; i += stride) {
        const uint4 v = x[i];
        y[i] = make_uint4(silu_pair(v.x), silu_pair(v.y), silu_pair(v.z), silu_pair(v.w));
    }
}
