// prelude: half/half.cuh
// The splits of each query in their order and then the newest token, which the cache does not hold yet:
// o = (sum of sums * exp(top - largest top) + v * exp(q k / sqrt(head) - largest top)) / the same sum of totals and one.
// Mirrors attention_decode_f16_newest.comp; newest.rs is the authority.
//   sums, stats  as attention_decode_f16.cu leaves them, a top and a total to a pair; aligned to 16 bytes
//   lengths      tokens of each sequence in the cache, of which there are batch
//   q            batch * heads * head halves; k and v as many for kvheads
//   o            batch * heads * head halves; head is a multiple of 8
//   grid         any number of blocks of any size: threads stride over vectors of eight halves, all aligned to 16 bytes

#define PAGE 16
#define SPLIT 256

static __device__ float dot2(float sum, unsigned a, unsigned b) {
    const float2 v = widen2(a), u = widen2(b);
    return sum + v.x * u.x + v.y * u.y;
}

extern "C" __global__ void attention_decode_f16_newest(const float4* __restrict__ sums, const float2* __restrict__ stats,
                                                       const unsigned* __restrict__ lengths, const uint4* __restrict__ q,
                                                       const uint4* __restrict__ k, const uint4* __restrict__ v,
                                                       uint4* __restrict__ o, unsigned batch, unsigned heads, unsigned kvheads,
                                                       unsigned head, unsigned seqpages) {
    const unsigned vectors = head / 8, splits = (seqpages * PAGE + SPLIT - 1) / SPLIT;
    const unsigned first = blockIdx.x * blockDim.x + threadIdx.x, stride = gridDim.x * blockDim.x;
    for (unsigned i = first; i < batch * heads * vectors; i += stride) {
        const unsigned row = i / vectors, part = row * splits;
        const unsigned sequence = row / heads, kvrow = sequence * kvheads + row % heads / (heads / kvheads);
        const unsigned count = (lengths[sequence] + SPLIT - 1) / SPLIT;
        float score = 0.0f;
        for (unsigned at = 0; at < vectors; at++) {
            const uint4 a = q[row * vectors + at], b = k[kvrow * vectors + at];
            score = dot2(dot2(dot2(dot2(score, a.x, b.x), a.y, b.y), a.z, b.z), a.w, b.w);
        }
        score /= sqrtf(static_cast<float>(head));
        float top = score;
        for (unsigned s = 0; s < count; s++) top = fmaxf(top, stats[part + s].x);

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
        const uint4 value = v[kvrow * vectors + i % vectors];
        const float2 a = widen2(value.x), b = widen2(value.y), c = widen2(value.z), d = widen2(value.w);
        const float share = expf(score - top);
        total += share;
        sum[0] += share * a.x, sum[1] += share * a.y, sum[2] += share * b.x, sum[3] += share * b.y;
        sum[4] += share * c.x, sum[5] += share * c.y, sum[6] += share * d.x, sum[7] += share * d.y;
        o[i] = make_uint4(narrow2(sum[0] / total, sum[1] / total), narrow2(sum[2] / total, sum[3] / total),
                          narrow2(sum[4] / total, sum[5] / total), narrow2(sum[6] / total, sum[7] / total));
    }
}
