// prelude: half/sum.cuh
// y = x / sqrt(mean(x^2) + 1e-5) * w by rows, and the scale of each row. Mirrors train_block_f32_norm.comp.
//   x, y    rows * cols floats, row-major
//   w       cols floats
//   scale   rows floats: 1 / sqrt(mean(x^2) + 1e-5)
//   share   the bits of 1 / cols
//   grid    any number of blocks of 256 threads: blocks stride over the rows; 1 KiB of shared memory

extern "C" __global__ void __launch_bounds__(LANES)
    train_block_f32_norm(const float* __restrict__ x, const float* __restrict__ w, float* __restrict__ y,
                         float* __restrict__ scale, unsigned rows, unsigned cols, unsigned share) {
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        const float* from = x + static_cast<unsigned long long>(row) * cols;
        float* to = y + static_cast<unsigned long long>(row) * cols;
        float squares = 0.0f;
        for (unsigned i = threadIdx.x; i < cols; i += LANES) squares += from[i] * from[i];
        const float factor = 1.0f / sqrtf(tree_sum(squares) * __uint_as_float(share) + 1e-5f);
        for (unsigned i = threadIdx.x; i < cols; i += LANES) to[i] = from[i] * factor * w[i];
        if (threadIdx.x == 0) scale[row] = factor;
    }
}
