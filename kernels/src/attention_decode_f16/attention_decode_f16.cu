// prelude: half/half.cuh
// Attention of one query of each sequence and head over one split of 256 keys of a paged cache. Mirrors
// attention_decode_f16.comp; reference.rs is the authority.
//   q        batch * heads * head halves
//   kpages   pages of 16 tokens * kvheads * head halves, and vpages as many; fewer than 2^32
//   table    seqpages numbers of pages for each sequence
//   lengths  tokens of each sequence, 1 to 16 * seqpages
//   sums     batch * heads * splits * head floats: the values of a split times exp(score - its largest score)
//   stats    batch * heads * splits pairs: that largest score and the sum of those weights
//   head     a multiple of 8, at most 128; heads is a multiple of kvheads; scale is the bits of a float
//   grid     (kvheads times chunks of eight of the heads / kvheads queries, splits, batch) blocks of 256 threads, 24.5 KiB of
//            shared memory; splits that begin past the end of a sequence are left as they are
// Sixteen lanes hold a head, a vector of eight halves each, of four queries and of four keys at a time: each key and each
// value is read once for up to eight queries. All buffers are aligned to 16 bytes.

#define PAGE 16
#define SPLIT 256
#define QUERIES 8
#define ALL 0xFFFFFFFF

// A vector of one head of the cache.
struct Cache {
    const unsigned* pages;
    unsigned keys;   // of this split; none for lanes past the end of a head
    unsigned pitch;  // vectors of a token
    unsigned at;     // vector within a token

    __device__ uint4 load(const uint4* __restrict__ cache, unsigned key) const {
        if (key >= keys) return make_uint4(0, 0, 0, 0);
        return cache[(pages[key / PAGE] * PAGE + key % PAGE) * pitch + at];
    }
};

static __device__ void widen8(float (&wide)[8], uint4 v) {
    const float2 a = widen2(v.x), b = widen2(v.y), c = widen2(v.z), d = widen2(v.w);
    wide[0] = a.x, wide[1] = a.y, wide[2] = b.x, wide[3] = b.y;
    wide[4] = c.x, wide[5] = c.y, wide[6] = d.x, wide[7] = d.y;
}

// Adds the lanes' values in pairs N lanes apart; each lane goes on with the half of the values that bit N of it chooses.
template <unsigned N>
static __device__ void fold(float (&values)[16], unsigned lane) {
    const bool upper = lane & N;
#pragma unroll
    for (unsigned i = 0; i < N; i++) {
        const float kept = upper ? values[i + N] : values[i], given = upper ? values[i] : values[i + N];
        values[i] = kept + __shfl_xor_sync(ALL, given, N);
    }
}

// scores[key][query] of this thread's four queries.
static __device__ void score(float* scores, const float (&q)[4][8], const uint4* __restrict__ kpages, const Cache& cache,
                             unsigned keys, unsigned slot, unsigned slots, unsigned quad, float scale) {
    const unsigned lane = threadIdx.x % 16;
    for (unsigned first = 4 * slot, round = 0; round < keys; first += 4 * slots, round += 4 * slots) {
        uint4 k[4];
#pragma unroll
        for (unsigned j = 0; j < 4; j++) k[j] = cache.load(kpages, first + j);
        float dots[16];
#pragma unroll
        for (unsigned j = 0; j < 4; j++) {
            float wide[8];
            widen8(wide, k[j]);
#pragma unroll
            for (unsigned i = 0; i < 4; i++) {
                float dot = 0.0f;
#pragma unroll
                for (unsigned e = 0; e < 8; e++) dot += q[i][e] * wide[e];
                dots[4 * j + i] = dot;
            }
        }
        fold<8>(dots, lane);
        fold<4>(dots, lane);
        fold<2>(dots, lane);
        fold<1>(dots, lane);
        scores[(first + lane / 4) * QUERIES + 4 * quad + lane % 4] = dots[0] * scale;
    }
}

// Scores to weights, zero past the last key; gives the first eight threads the stats of a query each.
static __device__ float2 weigh(float* weights, unsigned keys) {
    __shared__ float tops[64], totals[64];
    const unsigned query = threadIdx.x % QUERIES, first = threadIdx.x / QUERIES, warp = threadIdx.x / 32;
    float top = __int_as_float(0xFF800000);  // -infinity: a thread without keys
    for (unsigned key = first; key < keys; key += 32) top = fmaxf(top, weights[key * QUERIES + query]);
    for (unsigned other = 8; other < 32; other *= 2) top = fmaxf(top, __shfl_xor_sync(ALL, top, other));
    if (threadIdx.x % 32 < QUERIES) tops[warp * QUERIES + query] = top;
    __syncthreads();
#pragma unroll
    for (unsigned i = 0; i < 8; i++) top = fmaxf(top, tops[i * QUERIES + query]);

    float total = 0.0f;
    for (unsigned key = first; key < SPLIT; key += 32) {
        float* place = &weights[key * QUERIES + query];
        const float weight = key < keys ? expf(*place - top) : 0.0f;
        *place = weight;
        total += weight;
    }
    for (unsigned other = 8; other < 32; other *= 2) total += __shfl_xor_sync(ALL, total, other);
    if (threadIdx.x % 32 < QUERIES) totals[warp * QUERIES + query] = total;
    __syncthreads();
    total = 0.0f;
#pragma unroll
    for (unsigned i = 0; i < 8; i++) total += totals[i * QUERIES + query];
    return make_float2(top, total);
}

// The values of this thread's keys, weighted by four queries.
static __device__ void gather(float (&sum)[4][8], const float* weights, const uint4* __restrict__ vpages, const Cache& cache,
                              unsigned keys, unsigned slot, unsigned slots, unsigned quad) {
    const float4* quads = reinterpret_cast<const float4*>(weights);
    for (unsigned first = 4 * slot, round = 0; round < keys; first += 4 * slots, round += 4 * slots) {
        uint4 v[4];
#pragma unroll
        for (unsigned j = 0; j < 4; j++) v[j] = cache.load(vpages, first + j);
#pragma unroll
        for (unsigned j = 0; j < 4; j++) {
            const float4 w = quads[(first + j) * 2 + quad];
            float wide[8];
            widen8(wide, v[j]);
#pragma unroll
            for (unsigned e = 0; e < 8; e++) {
                sum[0][e] += w.x * wide[e];
                sum[1][e] += w.y * wide[e];
                sum[2][e] += w.z * wide[e];
                sum[3][e] += w.w * wide[e];
            }
        }
    }
}

// Adds the sums of all slots in a tree; the threads of slot 0 get the result.
static __device__ void tree(float (&sum)[4][8], unsigned quads) {
    __shared__ float parts[32 * 128];
    for (unsigned half = 128; half >= 16 * quads; half /= 2) {
        float* part = &parts[threadIdx.x % half];
        if (threadIdx.x >= half && threadIdx.x < 2 * half) {
#pragma unroll
            for (unsigned i = 0; i < 32; i++) part[i * half] = sum[i / 8][i % 8];
        }
        __syncthreads();
        if (threadIdx.x < half) {
#pragma unroll
            for (unsigned i = 0; i < 32; i++) sum[i / 8][i % 8] += part[i * half];
        }
        __syncthreads();  // the next sums overwrite these
    }
}

extern "C" __global__ void __launch_bounds__(256, 2)
    attention_decode_f16(const uint4* __restrict__ q, const uint4* __restrict__ kpages, const uint4* __restrict__ vpages,
                         const unsigned* __restrict__ table, const unsigned* __restrict__ lengths, float4* __restrict__ sums,
                         float2* __restrict__ stats, unsigned heads, unsigned kvheads, unsigned head, unsigned seqpages,
                         unsigned scale) {
    __shared__ float4 quads_of_weights[SPLIT * QUERIES / 4];
    float* weights = reinterpret_cast<float*>(quads_of_weights);
    const unsigned sequence = blockIdx.z, split = blockIdx.y, length = lengths[sequence];
    if (split * SPLIT >= length) return;
    const unsigned keys = length - split * SPLIT < SPLIT ? length - split * SPLIT : SPLIT;
    const unsigned group = heads / kvheads, chunks = (group + QUERIES - 1) / QUERIES;
    const unsigned kvhead = blockIdx.x / chunks, skipped = blockIdx.x % chunks * QUERIES;
    const unsigned queries = group - skipped < QUERIES ? group - skipped : QUERIES;
    // Sixteen groups of lanes: each takes other keys, or two share keys that more than four queries need.
    const unsigned quads = queries > 4 ? 2 : 1, slots = 16 / quads;
    const unsigned lane = threadIdx.x % 16, slot = threadIdx.x / 16 / quads, quad = threadIdx.x / 16 % quads;
    const unsigned vectors = head / 8, row = sequence * heads + kvhead * group + skipped, splits = gridDim.y;

    float mine[4][8];
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
        const bool there = 4 * quad + i < queries && lane < vectors;
        widen8(mine[i], there ? q[(row + 4 * quad + i) * vectors + lane] : make_uint4(0, 0, 0, 0));
    }
    const Cache cache = {table + sequence * seqpages + split * (SPLIT / PAGE), lane < vectors ? keys : 0, kvheads * vectors,
                         kvhead * vectors + lane};
    score(weights, mine, kpages, cache, keys, slot, slots, quad, __uint_as_float(scale));
    __syncthreads();
    const float2 stat = weigh(weights, keys);
    if (threadIdx.x < queries) stats[(row + threadIdx.x) * splits + split] = stat;

    float sum[4][8] = {};
    gather(sum, weights, vpages, cache, keys, slot, slots, quad);
    tree(sum, quads);
    if (slot != 0 || lane >= vectors) return;
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
        if (4 * quad + i >= queries) break;
        float4* to = &sums[(((row + 4 * quad + i) * splits + split) * vectors + lane) * 2];
        to[0] = make_float4(sum[i][0], sum[i][1], sum[i][2], sum[i][3]);
        to[1] = make_float4(sum[i][4], sum[i][5], sum[i][6], sum[i][7]);
    }
}
