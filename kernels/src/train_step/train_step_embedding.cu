// The gradient of an embedding: row v is the sum of the rows of dy whose token is v, in their order; zero without any.
// Mirrors train_step_embedding.comp.
//   ids      tokens words below rows
//   dy       tokens rows of quads float4, aligned to 16 bytes, as the table
//   dtable   rows of quads float4
//   grid     any number of blocks of 256 threads: blocks stride over the table's rows; 1 KiB of shared memory
// 256 tokens are compared with a row at a time; most rows have none.

#define LANES 256

static __device__ void add(float4& sum, float4 more) {
    sum.x += more.x, sum.y += more.y, sum.z += more.z, sum.w += more.w;
}

extern "C" __global__ void __launch_bounds__(LANES)
    train_step_embedding(const unsigned* __restrict__ ids, const float4* __restrict__ dy, float4* dtable,
                         unsigned tokens, unsigned quads, unsigned rows) {
    __shared__ unsigned chosen[LANES], count;
    const unsigned lane = threadIdx.x;
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        float4* to = dtable + static_cast<unsigned long long>(row) * quads;
        for (unsigned first = 0; first < tokens; first += LANES) {
            __syncthreads();  // nobody needs the last comparisons any more
            if (lane == 0) count = 0;
            __syncthreads();
            chosen[lane] = first + lane < tokens && ids[first + lane] == row;
            if (chosen[lane]) atomicAdd(&count, 1);
            __syncthreads();
            if (first > 0 && count == 0) continue;
            for (unsigned i = lane; i < quads; i += LANES) {
                float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
                if (first > 0) sum = to[i];
                for (unsigned at = 0; count > 0 && at < LANES; at++) {
                    if (chosen[at]) add(sum, dy[static_cast<unsigned long long>(first + at) * quads + i]);
                }
                to[i] = sum;
            }
        }
    }
}
