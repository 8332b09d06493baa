// prelude: llm_exact/exact.cuh
// Shares of the attention from scores, in place. Mirrors llm_exact_softmax.comp.
//   s      heads * tokens rows of tokens floats; row i of a head holds scores of keys 0 .. i
//   grid   any number of blocks of 256 threads, 2 KiB of shared memory: blocks stride over the rows
// Past the diagonal shares are +0 to the end of its tile of 64, as far as they are read.

#define TILE 64

static __device__ float largest(float* highest, float mine) {
    const unsigned lane = threadIdx.x;
    highest[lane] = mine;
    for (unsigned half = LANES / 2; half > 0; half /= 2) {
        __syncthreads();
        if (lane < half && highest[lane + half] > highest[lane]) highest[lane] = highest[lane + half];
    }
    __syncthreads();
    return highest[0];  // barriers of the sum come before the next row
}

extern "C" __global__ void __launch_bounds__(LANES)
    llm_exact_softmax(float* __restrict__ s, unsigned rows, unsigned tokens) {
    __shared__ float highest[LANES], partial[LANES];
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        float* scores = s + static_cast<unsigned long long>(row) * tokens;
        const unsigned token = row % tokens;
        float high = __uint_as_float(0xFF800000u);
        for (unsigned key = threadIdx.x; key <= token; key += LANES) {
            const float score = scores[key];
            high = score > high ? score : high;
        }
        const float below = negated(largest(highest, high));
        float sum = 0.0f;
        for (unsigned key = threadIdx.x; key <= token; key += LANES) {
            const float power = power_of_e(add(scores[key], below));
            scores[key] = power;
            sum = add(sum, power);
        }
        const float factor = reciprocal(tree_sum(partial, sum));
        const unsigned tile_end = (token / TILE + 1) * TILE, end = tile_end < tokens ? tile_end : tokens;
        for (unsigned key = threadIdx.x; key < end; key += LANES) {
            scores[key] = key <= token ? trim(mul(scores[key], factor)) : 0.0f;
        }
    }
}
