// What y = silu(g) * u passes back to g and u, in place. Mirrors train_block_f32_swiglu_back.comp.
//   dy, g, u   n floats; g and u become their gradients
//   grid       any number of blocks of any size: threads stride over the elements
// With s = 1 / (1 + exp(-g)): dg = dy u s (1 + g (1 - s)), du = dy g s.

extern "C" __global__ void train_block_f32_swiglu_back(const float* __restrict__ dy, float* g, float* u, unsigned n) {
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    for (unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
         i += stride) {
        const float gate = g[i], s = 1.0f / (1.0f + expf(-gate));
        g[i] = dy[i] * u[i] * (s * (1.0f + gate * (1.0f - s)));
        u[i] = dy[i] * (gate * s);
    }
}
