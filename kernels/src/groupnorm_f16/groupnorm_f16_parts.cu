// prelude: half/sum.cuh
// Of each part of 8192 elements of each group: their sum, and the sum of squares around their mean. Mirrors
// groupnorm_f16_parts.comp.
//   x      blocks / parts groups of cols halves, aligned to 2 bytes
//   sums   two floats a part
//   blocks parts of all groups; parts of each group, of which the last may be shorter
//   last   the bits of 1 / the elements of a group's last part
//   grid   any number of blocks of 256 threads: blocks stride over the parts; 1 KiB of shared memory

#define PART 8192

static __device__ float sum_of_pair(unsigned x) {
    const float2 v = widen2(x);
    return v.x + v.y;
}

static __device__ float squares_of_pair(unsigned x, float mean) {
    const float2 v = widen2(x);
    const float low = v.x - mean, high = v.y - mean;
    return low * low + high * high;
}

extern "C" __global__ void __launch_bounds__(LANES)
    groupnorm_f16_parts(const unsigned short* __restrict__ x, float2* __restrict__ sums, unsigned blocks, unsigned parts,
                        unsigned cols, unsigned last) {
    const bool wide = cols % 8 == 0 && (reinterpret_cast<unsigned long long>(x) & 15) == 0;
    for (unsigned block = blockIdx.x; block < blocks; block += gridDim.x) {
        const unsigned part = block % parts, start = part * PART;
        const unsigned count = cols - start < PART ? cols - start : PART;
        const unsigned short* from = x + static_cast<unsigned long long>(block / parts) * cols + start;
        const uint4* wide_from = reinterpret_cast<const uint4*>(from);
        const unsigned vectors = wide ? count / 8 : 0, tail = 8 * vectors + threadIdx.x;

        float mine = 0.0f;
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const uint4 v = wide_from[i];
            mine += (sum_of_pair(v.x) + sum_of_pair(v.y)) + (sum_of_pair(v.z) + sum_of_pair(v.w));
        }
        for (unsigned i = tail; i < count; i += LANES) mine += widen(from[i]);
        const float sum = tree_sum(mine);
        // Not fused with the differences below: a group of one element has exactly its mean.
        const float mean = __fmul_rn(sum, part + 1 < parts ? 1.0f / PART : __uint_as_float(last));

        float squares = 0.0f;
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const uint4 v = wide_from[i];
            squares += (squares_of_pair(v.x, mean) + squares_of_pair(v.y, mean)) +
                       (squares_of_pair(v.z, mean) + squares_of_pair(v.w, mean));
        }
        for (unsigned i = tail; i < count; i += LANES) {
            const float rest = widen(from[i]) - mean;
            squares += rest * rest;
        }
        const float around = tree_sum(squares);
        if (threadIdx.x == 0) sums[block] = make_float2(sum, around);
    }
}
