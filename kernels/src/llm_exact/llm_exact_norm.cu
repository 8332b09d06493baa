// prelude: llm_exact/exact.cuh
// Root-mean-square normalization of rows, of x or of x + a. Mirrors llm_exact_norm.comp.
//   x, a, both, y  rows * cols floats, row-major; a is read and both = x + a is written only where plus is 1
//   w              cols floats
//   share          bits of reciprocal(cols), from the host
//   grid           any number of blocks of 256 threads, 1 KiB of shared memory: blocks stride over the rows

extern "C" __global__ void __launch_bounds__(LANES)
    llm_exact_norm(const float* __restrict__ x, const float* __restrict__ a, const float* __restrict__ w, float* both,
                   float* __restrict__ y, unsigned rows, unsigned cols, unsigned share, unsigned plus) {
    __shared__ float partial[LANES];
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        const unsigned long long first = static_cast<unsigned long long>(row) * cols;
        float sum = 0.0f;
        for (unsigned col = threadIdx.x; col < cols; col += LANES) {
            float value = x[first + col];
            if (plus) {
                value = add(value, a[first + col]);
                both[first + col] = value;
            }
            const float t = trim(value);
            sum = add(sum, mul(t, t));
        }
        const float mean = add(mul(tree_sum(partial, sum), __uint_as_float(share)), 1e-5f);
        const float factor = inverse_root(mean);
        for (unsigned col = threadIdx.x; col < cols; col += LANES) {
            const float t = trim(plus ? both[first + col] : x[first + col]);
            y[first + col] = trim(mul(mul(t, factor), w[col]));
        }
    }
}
