// prelude: half/sum.cuh
// Causal softmax by rows, in place: row i of a head's matrix keeps its first i + 1 columns, the others become zero. Mirrors
// train_block_f32.comp.
//   x        rows * tokens floats, row-major; rows is a multiple of tokens
//   grid     any number of blocks of 256 threads: blocks stride over the rows; 2 KiB of shared memory

static __device__ float tree_max(float mine) {
    __shared__ float highest[LANES];
    const unsigned lane = threadIdx.x;
    highest[lane] = mine;
    for (unsigned half = LANES / 2; half > 0; half /= 2) {
        __syncthreads();
        if (lane < half) highest[lane] = fmaxf(highest[lane], highest[lane + half]);
    }
    __syncthreads();
    const float top = highest[0];
    __syncthreads();  // every thread has read it before the next row overwrites it
    return top;
}

extern "C" __global__ void __launch_bounds__(LANES) train_block_f32(float* x, unsigned rows, unsigned tokens) {
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        float* scores = x + static_cast<unsigned long long>(row) * tokens;
        const unsigned seen = row % tokens + 1;
        float top = __int_as_float(0xFF800000);  // -infinity: a lane without columns
        for (unsigned i = threadIdx.x; i < seen; i += LANES) top = fmaxf(top, scores[i]);
        top = tree_max(top);
        float sum = 0.0f;
        for (unsigned i = threadIdx.x; i < seen; i += LANES) sum += expf(scores[i] - top);
        const float share = 1.0f / tree_sum(sum);
        for (unsigned i = threadIdx.x; i < tokens; i += LANES) {
            scores[i] = i < seen ? expf(scores[i] - top) * share : 0.0f;
        }
    }
}
