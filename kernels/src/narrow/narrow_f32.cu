// prelude: half/half.cuh
// Sums of products to halves. Mirrors narrow_f32.comp; narrow.rs is the authority.
//   x     n floats
//   y     n halves; x is aligned to 16 bytes and y to eight, and n is a multiple of four
//   grid  any number of blocks of any size: threads stride over vectors of four

extern "C" __global__ void narrow_f32(const float4* __restrict__ x, uint2* __restrict__ y, unsigned n) {
    const unsigned first = blockIdx.x * blockDim.x + threadIdx.x, stride = gridDim.x * blockDim.x;
    for (unsigned i = first; i < n / 4; i += stride) {
        const float4 v = x[i];
        y[i] = make_uint2(narrow2(v.x, v.y), narrow2(v.z, v.w));
    }
}
