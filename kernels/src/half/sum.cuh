// prelude: half/half.cuh
// The sum of one float of each of a block's 256 threads. Mirrors sum.glsl.

#define LANES 256

// In a fixed tree; every thread gets it. 1 KiB of shared memory.
[[maybe_unused]] static __device__ float tree_sum(float mine) {
    __shared__ float partial[LANES];
    const unsigned lane = threadIdx.x;
    partial[lane] = mine;
    for (unsigned half = LANES / 2; half > 0; half /= 2) {
        __syncthreads();
        if (lane < half) partial[lane] += partial[lane + half];
    }
    __syncthreads();
    const float sum = partial[0];
    __syncthreads();  // every thread has read the sum before the next one overwrites it
    return sum;
}

