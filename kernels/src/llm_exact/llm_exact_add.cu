// prelude: llm_exact/exact.cuh
// y = x + a. Mirrors llm_exact_add.comp.
//   x, a, y  n floats
//   grid     any number of blocks of 256 threads, which stride over the elements

extern "C" __global__ void __launch_bounds__(LANES)
    llm_exact_add(const float* __restrict__ x, const float* __restrict__ a, float* __restrict__ y, unsigned n) {
    const unsigned stride = gridDim.x * LANES;
    for (unsigned long long at = blockIdx.x * LANES + threadIdx.x; at < n; at += stride) y[at] = add(x[at], a[at]);
}
