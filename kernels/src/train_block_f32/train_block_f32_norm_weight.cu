// dw = sum over the rows of dy * x * scale: the gradient of a norm's weights. Mirrors train_block_f32_norm_weight.comp.
//   dy, x    rows * cols floats, row-major
//   scale    rows floats, from the forward pass
//   dw       cols floats
//   grid     ceil(cols / 32) blocks of 256 threads, 1 KiB of shared memory
// Eight threads share a column: each takes every eighth row.

#define COLS 32
#define PARTS 8

extern "C" __global__ void __launch_bounds__(COLS* PARTS)
    train_block_f32_norm_weight(const float* __restrict__ dy, const float* __restrict__ x,
                                const float* __restrict__ scale, float* __restrict__ dw, unsigned rows, unsigned cols) {
    __shared__ float partial[PARTS][COLS];
    const unsigned lane = threadIdx.x % COLS, part = threadIdx.x / COLS;
    const unsigned col = blockIdx.x * COLS + lane;
    float sum = 0.0f;
    for (unsigned row = part; row < rows && col < cols; row += PARTS) {
        const unsigned long long at = static_cast<unsigned long long>(row) * cols + col;
        sum += dy[at] * (x[at] * scale[row]);
    }
    partial[part][lane] = sum;
    __syncthreads();
    if (part > 0 || col >= cols) return;
    float total = 0.0f;
    for (unsigned other = 0; other < PARTS; other++) total += partial[other][lane];
    dw[col] = total;
}
