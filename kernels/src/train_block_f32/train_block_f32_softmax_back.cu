// prelude: half/sum.cuh
// What softmax passes back to its scores, in place: dx = p (dp - sum(p dp)) by rows. Mirrors
// train_block_f32_softmax_back.comp.
//   p, dx    rows * cols floats, row-major; dx holds dp before
//   grid     any number of blocks of 256 threads: blocks stride over the rows; 1 KiB of shared memory

extern "C" __global__ void __launch_bounds__(LANES)
    train_block_f32_softmax_back(const float* __restrict__ p, float* dx, unsigned rows, unsigned cols) {
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        const unsigned long long first = static_cast<unsigned long long>(row) * cols;
        float sum = 0.0f;
        for (unsigned i = threadIdx.x; i < cols; i += LANES) sum += p[first + i] * dx[first + i];
        sum = tree_sum(sum);
        for (unsigned i = threadIdx.x; i < cols; i += LANES) dx[first + i] = p[first + i] * (dx[first + i] - sum);
    }
}
