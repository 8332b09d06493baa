// prelude: llm_exact/exact.cuh
// gate = silu(gate) * up, in place. Mirrors llm_exact_gate.comp.
//   gate, up  n floats
//   grid      any number of blocks of 256 threads, which stride over the elements

extern "C" __global__ void __launch_bounds__(LANES)
    llm_exact_gate(float* __restrict__ gate, const float* __restrict__ up, unsigned n) {
    const unsigned stride = gridDim.x * LANES;
    for (unsigned long long at = blockIdx.x * LANES + threadIdx.x; at < n; at += stride) {
        gate[at] = trim(mul(silu(gate[at]), trim(up[at])));
    }
}
