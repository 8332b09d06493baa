// prelude: half/half.cuh
// The splits of each query in their order: o = sum of sums * exp(top - largest top) / the same sum of totals. Mirrors
// attention_decode_f16_combine.comp; reference.rs is the authority.
//   sums, stats  as attention_decode_f16.cu leaves them, a top and a total to a pair; aligned to 16 bytes
//   lengths      tokens of each sequence, of which there are batch
//   o            batch * heads * head halves, aligned to 16 bytes; head is a multiple of 8
//   grid         any number of blocks of any size: threads stride over vectors of eight halves

#define PAGE 16
#define SPLIT 256

extern "C" __global__ void attention_decode_f16_combine(const float4* __restrict__ sums, const float2* __restrict__ stats,
                                                        const unsigned* __restrict__ lengths, uint4* __restrict__ o,
                                                        unsigned batch, unsigned heads, unsigned head, unsigned seqpages) {
    const unsigned vectors = head / 8, splits = (seqpages * PAGE + SPLIT - 1) / SPLIT;
    const unsigned first = blockIdx.x * blockDim.x + threadIdx.x, stride = gridDim.x * blockDim.x;
    for (unsigned i = first; i < batch * heads * vectors; i += stride) {
        const unsigned row = i / vectors, part = row * splits;
        const unsigned count = (lengths[row / heads] + SPLIT - 1) / SPLIT;
        float top = stats[part].x;
        for (unsigned s = 1; s < count; s++) top = fmaxf(top, stats[part + s].x);

        float total = 0.0f, sum[8] = {};
#pragma unroll 4
        for (unsigned s = 0; s < count; s++) {
            const float2 stat = stats[part + s];
            const unsigned at = ((part + s) * vectors + i % vectors) * 2;
            const float4 a = sums[at], b = sums[at + 1];
            const float share = expf(stat.x - top);
            total += share * stat.y;
            sum[0] += share * a.x, sum[1] += share * a.y, sum[2] += share * a.z, sum[3] += share * a.w;
            sum[4] += share * b.x, sum[5] += share * b.y, sum[6] += share * b.z, sum[7] += share * b.w;
        }
        o[i] = make_uint4(narrow2(sum[0] / total, sum[1] / total), narrow2(sum[2] / total, sum[3] / total),
                          narrow2(sum[4] / total, sum[5] / total), narrow2(sum[6] / total, sum[7] / total));
    }
}
