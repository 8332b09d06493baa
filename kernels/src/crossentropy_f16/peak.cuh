// prelude: half/half.cuh
// What a softmax of a row of logits is made from, by a block of 256 threads. Mirrors peak.glsl.

#define LANES 256

// The largest of some logits, and the sum of their exponentials relative to it.
struct Peak {
    float top, sum;

    // All of `count` logits at once.
    template <unsigned count>
    __device__ void add(const float (&x)[count]) {
        float higher = top;
#pragma unroll
        for (unsigned i = 0; i < count; i++) higher = fmaxf(higher, x[i]);
        float more = 0.0f;
#pragma unroll
        for (unsigned i = 0; i < count; i++) more += expf(x[i] - higher);
        sum = sum * expf(top - higher) + more;
        top = higher;
    }
};

// The peak of all threads' logits, in a fixed tree.
static __device__ Peak tree(Peak* partial, Peak mine) {
    const unsigned lane = threadIdx.x;
    partial[lane] = mine;
    for (unsigned half = LANES / 2; half > 0; half /= 2) {
        __syncthreads();
        if (lane < half) {
            const Peak a = partial[lane], b = partial[lane + half];
            const float top = fmaxf(a.top, b.top);
            partial[lane] = {top, a.sum * expf(a.top - top) + b.sum * expf(b.top - top)};
        }
    }
    __syncthreads();
    const Peak all = partial[0];
    __syncthreads();  // every lane has read the result before the next row overwrites it
    return all;
}

