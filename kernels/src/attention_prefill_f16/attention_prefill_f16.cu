// prelude: half/half.cuh
// Attention with grouped queries, causal or without a mask, by the online softmax, f16 in and out, scores and sums in f32.
// Mirrors attention_prefill_f16.comp; reference.rs is the authority.
//   q, o   tokens * heads * head halves, k, v tokens * kvheads * head, aligned to 2 bytes; 16-byte loads where all are
//          aligned and 8 divides head
//   head   at most 128
//   scale  1 / sqrt(head), bits of a float
//   ahead  keys after its own that a query sees: none where attention is causal, tokens where nothing is masked
//   grid   heads by ceil(tokens / 64) blocks of 128 threads, the last queries first; 27 KiB of shared memory
// A block takes 64 queries of one head and walks over the keys they see, 64 at a time in ascending order. A thread has 8 x 4
// scores and 8 x 8 sums; two threads share a row of the softmax.

#define THREADS 128
#define TILE 64
// Elements of a head that one step of the scores takes, and keys that one step of the sums takes.
#define STEP 32
#define KEYS 16
// float4s from row to row: odd, so that neighbouring rows lie in different banks.
#define STEP_PITCH (STEP / 4 + 1)
#define TILE_PITCH (TILE / 4 + 1)
#define HEAD 128
// Below every score: 2 to it is zero.
#define LOWEST -1e30f

struct Rows {
    const unsigned short* start;
    unsigned tokens, pitch, head;
    bool wide;

    // Eight halves of a token from element `at`; zeros outside.
    __device__ uint4 eight(unsigned token, unsigned at) const {
        if (token >= tokens || at >= head) {
            return make_uint4(0, 0, 0, 0);
        }
        const unsigned short* p = start + static_cast<unsigned long long>(token) * pitch + at;
        if (wide) {
            return *reinterpret_cast<const uint4*>(p);
        }
        unsigned long long low = 0, high = 0;
        const unsigned count = head - at < 8 ? head - at : 8;
#pragma unroll 1
        for (unsigned i = 0; i < count; i++) {
            const unsigned long long half = p[i];
            low |= i < 4 ? half << 16 * i : 0;
            high |= i < 4 ? 0 : half << 16 * (i - 4);
        }
        return make_uint4(low, low >> 32, high, high >> 32);
    }
};

static __device__ void store(float4* to, uint4 v) {
    const float2 a = widen2(v.x), b = widen2(v.y), c = widen2(v.z), d = widen2(v.w);
    to[0] = make_float4(a.x, a.y, b.x, b.y);
    to[1] = make_float4(c.x, c.y, d.x, d.y);
}

static __device__ void scale_by(float4& v, float factor) {
    v = make_float4(v.x * factor, v.y * factor, v.z * factor, v.w * factor);
}

static __device__ void add_times(float4& sum, float weight, float4 v) {
    sum = make_float4(sum.x + weight * v.x, sum.y + weight * v.y, sum.z + weight * v.z, sum.w + weight * v.w);
}

static __device__ unsigned lesser(unsigned a, unsigned b) {
    return a < b ? a : b;
}

static __device__ float largest(float4 v) {
    return fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w));
}

// The step of 32 elements from `at` that a thread stores: half a row of queries and half a row of keys.
static __device__ void fetch_step(uint4 (&next)[4], const Rows& q, const Rows& k, unsigned query, unsigned key,
                                  unsigned at) {
    next[0] = q.eight(query, at);
    next[1] = q.eight(query, at + 8);
    next[2] = k.eight(key, at);
    next[3] = k.eight(key, at + 8);
}

static __device__ void fetch_values(uint4 (&next)[4], const Rows& v, unsigned key, unsigned at) {
    next[0] = v.eight(key, at);
    next[1] = v.eight(key, at + 8);
}

// Scores of 32 elements: rows y + 8 i of the queries with keys 4 x + j, which lie in rows x + 16 j.
static __device__ void add_scores(float (&score)[8][4], const float4* queries, const float4* keys, unsigned x, unsigned y) {
#pragma unroll 2
    for (unsigned p = 0; p < STEP / 4; p++) {
        float4 key[4];
#pragma unroll
        for (unsigned j = 0; j < 4; j++) key[j] = keys[(x + 16 * j) * STEP_PITCH + p];
#pragma unroll
        for (unsigned i = 0; i < 8; i++) {
            const float4 query = queries[(y + 8 * i) * STEP_PITCH + p];
#pragma unroll
            for (unsigned j = 0; j < 4; j++) {
                score[i][j] += query.x * key[j].x;
                score[i][j] += query.y * key[j].y;
                score[i][j] += query.z * key[j].z;
                score[i][j] += query.w * key[j].w;
            }
        }
    }
}

// Sums over 16 keys: rows y + 8 i of the weights with elements 4 x of the values and, of wide heads, 64 + 4 x.
template <unsigned PARTS>
static __device__ void add_values(float4 (&sum)[8][2], const float4* weights, const float4* values, unsigned x, unsigned y) {
#pragma unroll 2
    for (unsigned p = 0; p < KEYS / 4; p++) {
        float4 value[PARTS][4];
#pragma unroll
        for (unsigned c = 0; c < PARTS; c++) {
#pragma unroll
            for (unsigned key = 0; key < 4; key++) value[c][key] = values[(4 * p + key) * (HEAD / 4) + 16 * c + x];
        }
#pragma unroll
        for (unsigned i = 0; i < 8; i++) {
            const float4 weight = weights[(y + 8 * i) * TILE_PITCH + p];
#pragma unroll
            for (unsigned c = 0; c < PARTS; c++) {
                add_times(sum[i][c], weight.x, value[c][0]);
                add_times(sum[i][c], weight.y, value[c][1]);
                add_times(sum[i][c], weight.z, value[c][2]);
                add_times(sum[i][c], weight.w, value[c][3]);
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 3)
    attention_prefill_f16(const unsigned short* __restrict__ q, const unsigned short* __restrict__ k,
                          const unsigned short* __restrict__ v, unsigned short* __restrict__ o, unsigned tokens,
                          unsigned heads, unsigned kvheads, unsigned head, unsigned scale, unsigned ahead) {
    // Queries and keys of a step; then the weights.
    __shared__ float4 tiles[2 * TILE * STEP_PITCH];
    __shared__ float4 values[KEYS * (HEAD / 4)];
    __shared__ float factors[TILE], halves[THREADS];
    float4 *const queries = tiles, *const keys = tiles + TILE * STEP_PITCH, *const weights = tiles;

    const unsigned thread = threadIdx.x, x = thread % 16, y = thread / 16;
    const unsigned kvhead = blockIdx.x / (heads / kvheads);
    const unsigned first = (gridDim.y - 1 - blockIdx.y) * TILE;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(q) | reinterpret_cast<unsigned long long>(k) |
                                    reinterpret_cast<unsigned long long>(v);
    const bool wide = head % 8 == 0 && (bits & 15) == 0;
    const Rows q_rows = {q + blockIdx.x * head, tokens, heads * head, head, wide};
    const Rows k_rows = {k + kvhead * head, tokens, kvheads * head, head, wide};
    const Rows v_rows = {v + kvhead * head, tokens, kvheads * head, head, wide};
    // What this thread loads: 16 elements of a row of queries and keys, 16 of a row of values.
    const unsigned load_row = thread / 2, load_at = thread % 2 * 16;
    const unsigned value_row = thread / 8, value_at = thread % 8 * 16;
    // Key 4 x + j lies in row x + 16 j.
    const unsigned key_row = load_row / 4 + load_row % 4 * 16;
    // Scores in powers of two.
    const float base_2 = __uint_as_float(scale) * 1.44269504f;

    float4 sum[8][2] = {};
    float top = LOWEST, total = 0.0f;
    uint4 next[4];
    fetch_step(next, q_rows, k_rows, first + load_row, load_row, load_at);
    const unsigned last = lesser(first + TILE - 1 + ahead, tokens - 1);
    for (unsigned key = 0; key <= last; key += TILE) {
        float score[8][4] = {};
        for (unsigned at = 0; at < head; at += STEP) {
            store(queries + load_row * STEP_PITCH + load_at / 4, next[0]);
            store(queries + load_row * STEP_PITCH + load_at / 4 + 2, next[1]);
            store(keys + key_row * STEP_PITCH + load_at / 4, next[2]);
            store(keys + key_row * STEP_PITCH + load_at / 4 + 2, next[3]);
            __syncthreads();
            if (at + STEP < head) {
                fetch_step(next, q_rows, k_rows, first + load_row, key + load_row, at + STEP + load_at);
            } else {
                fetch_values(next, v_rows, key + value_row, value_at);
            }
            add_scores(score, queries, keys, x, y);
            __syncthreads();  // nobody reads this step any more
        }

#pragma unroll
        for (unsigned i = 0; i < 8; i++) {
            float* row = score[i];
            const unsigned reach = lesser(first + y + 8 * i + ahead, last);
#pragma unroll
            for (unsigned j = 0; j < 4; j++) {
                const bool seen = key + 4 * x + j <= reach;
                row[j] = seen ? row[j] * base_2 : LOWEST;
            }
            weights[(y + 8 * i) * TILE_PITCH + x] = make_float4(row[0], row[1], row[2], row[3]);
        }
        __syncthreads();

        float4* mine = weights + thread / 2 * TILE_PITCH + thread % 2 * (TILE / 8);
        float high = top;
#pragma unroll
        for (unsigned p = 0; p < TILE / 8; p++) high = fmaxf(high, largest(mine[p]));
        halves[thread] = high;
        __syncthreads();
        high = fmaxf(high, halves[thread ^ 1]);
        const float factor = exp2f(top - high);
        top = high;
        total *= factor;
#pragma unroll
        for (unsigned p = 0; p < TILE / 8; p++) {
            const float4 s = mine[p];
            const float4 w = make_float4(exp2f(s.x - top), exp2f(s.y - top), exp2f(s.z - top), exp2f(s.w - top));
            total += (w.x + w.y) + (w.z + w.w);
            mine[p] = w;
        }
        if (thread % 2 == 0) factors[thread / 2] = factor;
        __syncthreads();
#pragma unroll
        for (unsigned i = 0; i < 8; i++) {
            const float earlier = factors[y + 8 * i];
            scale_by(sum[i][0], earlier);
            scale_by(sum[i][1], earlier);
        }

        for (unsigned at = 0; at < TILE; at += KEYS) {
            store(values + value_row * (HEAD / 4) + value_at / 4, next[0]);
            store(values + value_row * (HEAD / 4) + value_at / 4 + 2, next[1]);
            __syncthreads();
            if (at + KEYS < TILE) {
                fetch_values(next, v_rows, key + at + KEYS + value_row, value_at);
            } else {
                fetch_step(next, q_rows, k_rows, first + load_row, key + TILE + load_row, load_at);
            }
            if (head > HEAD / 2) {
                add_values<2>(sum, weights + at / 4, values, x, y);
            } else {
                add_values<1>(sum, weights + at / 4, values, x, y);
            }
            __syncthreads();  // nobody reads these values any more, nor, after the last, the weights
        }
    }

    halves[thread] = total;
    __syncthreads();
    const bool wide_o = head % 4 == 0 && (reinterpret_cast<unsigned long long>(o) & 7) == 0;
#pragma unroll
    for (unsigned i = 0; i < 8; i++) {
        const unsigned row = y + 8 * i, token = first + row;
        const float share = 1.0f / (halves[2 * row] + halves[2 * row + 1]);
#pragma unroll
        for (unsigned c = 0; c < 2; c++) {
            const unsigned at = 64 * c + 4 * x;
            if (token < tokens && at < head) {
                unsigned short* out = o + (static_cast<unsigned long long>(token) * heads + blockIdx.x) * head + at;
                scale_by(sum[i][c], share);
                const uint2 narrowed = make_uint2(narrow2(sum[i][c].x, sum[i][c].y), narrow2(sum[i][c].z, sum[i][c].w));
                if (wide_o) {
                    *reinterpret_cast<uint2*>(out) = narrowed;
                } else {
                    out[0] = narrowed.x;
                    if (head - at > 1) out[1] = narrowed.x >> 16;
                    if (head - at > 2) out[2] = narrowed.y;
                    if (head - at > 3) out[3] = narrowed.y >> 16;
                }
            }
        }
    }
}
