// prelude: llm_exact/exact.cuh
// Causal products of attention, one 64 x 64 tile of one head's result per block, 4 x 4 elements per thread. Mirrors
// llm_exact.comp; reference.rs is the authority.
//   values = 0   scores: a is z, b is z; c[head][i][j] = query i times key j, for tiles that reach the diagonal
//   values = 1   a holds shares [head][i][j], b is z; c[i][head] = sum over j of share j times value j, trimmed
//   z            tokens rows of heads of queries, then kv of keys, then kv of values, width floats each
//   grid         (columns / 64, tokens / 64) rounded up by heads, of 256 threads, 17 KiB of shared memory
// Sums begin at +0 and take products in ascending order, each rounded by itself. What lies outside counts as +0. The next
// step is fetched while this one is used.

#define TILE 64
#define STEP 16
// Rows of 68 floats keep 16-byte reads aligned.
#define PITCH (TILE + 4)

// Elements p[0 .. count], at most four.
static __device__ float4 quad(const float* __restrict__ p, unsigned count, bool whole) {
    if (whole) return *reinterpret_cast<const float4*>(p);
    float4 v = make_float4(p[0], 0.0f, 0.0f, 0.0f);
    if (count > 1) v.y = p[1];
    if (count > 2) v.z = p[2];
    if (count > 3) v.w = p[3];
    return v;
}

// Four neighbours along k of one row of a tile, whose rows are those of one k.
static __device__ void store(float4* tile, unsigned row, unsigned k, float4 v) {
    float* to = reinterpret_cast<float*>(tile) + k * PITCH + row;
    to[0] = v.x;
    to[PITCH] = v.y;
    to[2 * PITCH] = v.z;
    to[3 * PITCH] = v.w;
}

extern "C" __global__ void __launch_bounds__(256)
    llm_exact(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, unsigned tokens,
              unsigned heads, unsigned kv, unsigned width, unsigned values) {
    __shared__ float4 as[2][STEP][PITCH / 4], bs[2][STEP][PITCH / 4];
    typedef unsigned long long Offset;
    const unsigned top = blockIdx.y * TILE, left = blockIdx.x * TILE, head = blockIdx.z;
    if (!values && left >= top + TILE) return;
    const unsigned z_pitch = (heads + 2 * kv) * width, group = head / (heads / kv);
    const unsigned columns = values ? width : tokens;
    const unsigned depth = values ? (tokens - top < TILE ? tokens : top + TILE) : width;
    const Offset square = static_cast<Offset>(head) * tokens * tokens;
    const unsigned a_pitch = values ? tokens : z_pitch;
    a += values ? square : static_cast<Offset>(head) * width;
    b += static_cast<Offset>((values ? heads + kv : heads) + group) * width;
    c += values ? static_cast<Offset>(head) * width : square;
    const unsigned c_pitch = values ? heads * width : tokens;
    const Offset bits = reinterpret_cast<Offset>(a) | reinterpret_cast<Offset>(b);
    const bool a_whole = (values ? tokens : width) % 4 == 0 && (bits & 15) == 0;
    const bool b_whole = width % 4 == 0 && (bits & 15) == 0;

    const unsigned thread = threadIdx.x;
    const unsigned load_row = thread / 4, load_k = thread % 4 * 4;
    const unsigned value_k = thread / 16, value_col = thread % 16 * 4;
    const unsigned y = thread / 16 * 4, x = thread % 16 * 4;

    const auto fetch_a = [&](unsigned at) {
        const unsigned k = at + load_k;
        if (top + load_row >= tokens || k >= depth) return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        return quad(a + static_cast<Offset>(top + load_row) * a_pitch + k, depth - k, a_whole);
    };
    // Of keys one row, four neighbours along k; of values one k, four neighbouring columns.
    const auto fetch_b = [&](unsigned at) {
        const unsigned row = values ? at + value_k : left + load_row, col = values ? left + value_col : at + load_k;
        const unsigned rows = values ? depth : columns, cols = values ? columns : depth;
        if (row >= rows || col >= cols) return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        return quad(b + static_cast<Offset>(row) * z_pitch + col, cols - col, b_whole);
    };
    const auto store_b = [&](unsigned stage, float4 v) {
        if (values) bs[stage][value_k][value_col / 4] = v;
        else store(bs[stage][0], load_row, load_k, v);
    };

    float sum[4][4] = {};
    store(as[0][0], load_row, load_k, fetch_a(0));
    store_b(0, fetch_b(0));
    __syncthreads();
    for (unsigned at = 0, stage = 0; at < depth; at += STEP, stage ^= 1) {
        const bool more = depth - at > STEP;
        float4 next_a, next_b;
        if (more) {
            next_a = fetch_a(at + STEP);
            next_b = fetch_b(at + STEP);
        }
#pragma unroll
        for (unsigned k = 0; k < STEP; k++) {
            const float4 u = as[stage][k][y / 4], v = bs[stage][k][x / 4];
            const float down[4] = {u.x, u.y, u.z, u.w}, across[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
            for (unsigned i = 0; i < 4; i++) {
#pragma unroll
                for (unsigned j = 0; j < 4; j++) sum[i][j] = add(sum[i][j], mul(down[i], across[j]));
            }
        }
        if (more) {
            store(as[stage ^ 1][0], load_row, load_k, next_a);
            store_b(stage ^ 1, next_b);
        }
        __syncthreads();  // the next step is stored, and nobody reads this one any more
    }

#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
        const unsigned row = top + y + i;
        float* out = c + static_cast<Offset>(row) * c_pitch + left + x;
#pragma unroll
        for (unsigned j = 0; j < 4; j++) {
            if (row < tokens && left + x + j < columns) out[j] = values ? trim(sum[i][j]) : sum[i][j];
        }
    }
}
