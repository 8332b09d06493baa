// prelude: half/half.cuh
// y = x + (gate + its bias) * branch, f16 in and out, f32 between. Mirrors gated.comp.
//   x, branch, y  rows * cols halves, row-major; 8 divides cols, and all are aligned to 16 bytes
//   vectors       six vectors of cols halves for each sample, of which `gate` is the index of the one
//   bias          six vectors of cols halves
//   tokens        rows of one sample
//   grid          any number of blocks of any size: threads stride over vectors of eight

static __device__ unsigned gated_pair(unsigned x, unsigned branch, unsigned gate, unsigned bias) {
    const float2 v = widen2(x), b = widen2(branch), g = widen2(gate), t = widen2(bias);
    return narrow2(v.x + (g.x + t.x) * b.x, v.y + (g.y + t.y) * b.y);
}

extern "C" __global__ void gated(const uint4* __restrict__ x, const uint4* __restrict__ branch,
                                 const uint4* __restrict__ vectors, const uint4* __restrict__ bias,
                                 uint4* __restrict__ y, unsigned rows, unsigned cols, unsigned tokens, unsigned gate) {
    const unsigned width = cols / 8, stride = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < rows * width; i += stride) {
        const unsigned row = i / width, at = gate * width + i % width;
        const uint4 v = x[i], b = branch[i], g = vectors[row / tokens * 6 * width + at], t = bias[at];
        y[i] = make_uint4(gated_pair(v.x, b.x, g.x, t.x), gated_pair(v.y, b.y, g.y, t.y),
                          gated_pair(v.z, b.z, g.z, t.z), gated_pair(v.w, b.w, g.w, t.w));
    }
}
