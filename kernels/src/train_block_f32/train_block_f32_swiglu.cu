// y = g / (1 + exp(-g)) * u. Mirrors train_block_f32_swiglu.comp.
//   g, u, y   n floats
//   grid      any number of blocks of any size: threads stride over the elements

extern "C" __global__ void train_block_f32_swiglu(const float* __restrict__ g, const float* __restrict__ u,
                                                  float* __restrict__ y, unsigned n) {
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    for (unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
         i += stride) {
        y[i] = g[i] / (1.0f + expf(-g[i])) * u[i];
    }
}
