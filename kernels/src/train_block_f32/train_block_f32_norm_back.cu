// prelude: half/sum.cuh
// What train_block_f32_norm passes back to its rows, plus `more` where it is added. Mirrors train_block_f32_norm_back.comp.
//   dy, x, more, dx   rows * cols floats, row-major
//   scale             rows floats, from the forward pass
//   w                 cols floats
//   share             the bits of 1 / cols
//   added             1, or 0 where nothing is added and `more` is not read
//   grid              any number of blocks of 256 threads: blocks stride over the rows; 1 KiB of shared memory
// With n = x * scale: dx = more + scale * (dy w - n mean(dy w n)).

extern "C" __global__ void __launch_bounds__(LANES)
    train_block_f32_norm_back(const float* __restrict__ dy, const float* __restrict__ x,
                              const float* __restrict__ scale, const float* __restrict__ w,
                              const float* __restrict__ more, float* __restrict__ dx, unsigned rows, unsigned cols,
                              unsigned share, unsigned added) {
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        const unsigned long long first = static_cast<unsigned long long>(row) * cols;
        const float factor = scale[row];
        float sum = 0.0f;
        for (unsigned i = threadIdx.x; i < cols; i += LANES) sum += dy[first + i] * w[i] * (x[first + i] * factor);
        const float mean = tree_sum(sum) * __uint_as_float(share);
        for (unsigned i = threadIdx.x; i < cols; i += LANES) {
            const float rest = dy[first + i] * w[i] - x[first + i] * factor * mean;
            dx[first + i] = (added ? more[first + i] : 0.0f) + factor * rest;
        }
    }
}
