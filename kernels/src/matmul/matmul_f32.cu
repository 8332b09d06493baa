// C = factor * A * B, plus D where asked, for a batch of f32 matrices. Mirrors matmul_f32.comp.
//   a, b, d, c    floats, any alignment and any sizes; d is laid out as c and may be c
//   pitch_*       floats from one stored row to the next; d has c's
//   stride_*      floats from one product's matrix to the next one's
//   flags         bit 0: A is stored k rows of m, else m rows of k; bit 1: B is stored k rows of n, else n rows of k;
//                 bit 2: add d; from bit 3 on: products in a row that share one B
//   factor_bits   the bits of the factor
//   grid          ceil(n / 128) by ceil(m / 128) by products, blocks of 256 threads, 16.5 KiB of shared memory
// A block computes 128 x 128 of C in steps of 8 along k. A thread computes four squares of 4 x 4, 64 apart, so that the
// 16-byte reads of a warp touch every bank of shared memory once. The next step is fetched while this one is used.

#define TILE 128
#define STEP 8
// Rows of 132 floats: the two halves of a warp store 4 * 132 floats apart, which is 16 banks.
#define PITCH (TILE + 4)

// One operand: `rows` rows of C, or columns, by k steps.
struct Operand {
    const float* x;
    unsigned rows, steps, pitch;
    bool across, wide;

    // Four neighbours in memory of row `row`, steps from `step` on, or of step `step`, rows from `row` on; zeros outside.
    __device__ float4 quad(unsigned row, unsigned step) const {
        float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (row >= rows || step >= steps) return v;
        const float* p = x + (across ? static_cast<unsigned long long>(step) * pitch + row
                                     : static_cast<unsigned long long>(row) * pitch + step);
        const unsigned left = across ? rows - row : steps - step;
        if (wide && left >= 4) return *reinterpret_cast<const float4*>(p);
        v.x = p[0];
        if (left > 1) v.y = p[1];
        if (left > 2) v.z = p[2];
        if (left > 3) v.w = p[3];
        return v;
    }

    // Where this thread's quad of a step's tile stands.
    __device__ uint2 place(unsigned thread) const {
        return across ? make_uint2(thread % 32 * 4, thread / 32) : make_uint2(thread / 2, thread % 2 * 4);
    }

    __device__ float4 fetch(unsigned first_row, unsigned first_step) const {
        const uint2 at = place(threadIdx.x);
        return quad(first_row + at.x, first_step + at.y);
    }

    __device__ void store(float4* tile, float4 v) const {
        const uint2 at = place(threadIdx.x);
        if (across) {
            tile[(at.y * PITCH + at.x) / 4] = v;
            return;
        }
        float* to = reinterpret_cast<float*>(tile) + at.y * PITCH + at.x;
        to[0] = v.x;
        to[PITCH] = v.y;
        to[2 * PITCH] = v.z;
        to[3 * PITCH] = v.w;
    }
};

static __device__ bool aligned(const float* x, unsigned pitch) {
    return pitch % 4 == 0 && (reinterpret_cast<unsigned long long>(x) & 15) == 0;
}

extern "C" __global__ void __launch_bounds__(256, 2)
    matmul_f32(const float* a, const float* b, const float* d, float* c, unsigned m, unsigned n, unsigned k,
               unsigned pitch_a, unsigned pitch_b, unsigned pitch_c, unsigned stride_a, unsigned stride_b,
               unsigned stride_c, unsigned flags, unsigned factor_bits) {
    __shared__ float4 as[2][STEP][PITCH / 4], bs[2][STEP][PITCH / 4];
    const unsigned thread = threadIdx.x;
    const unsigned top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    const unsigned warp = thread / 32, lane = thread % 32;
    const unsigned y = (warp / 2 * 4 + lane / 8) * 4, x = (warp % 2 * 8 + lane % 8) * 4;
    a += static_cast<unsigned long long>(blockIdx.z) * stride_a;
    b += static_cast<unsigned long long>(blockIdx.z / (flags >> 3)) * stride_b;
    const unsigned long long corner = static_cast<unsigned long long>(blockIdx.z) * stride_c;
    const Operand down_a = {a, m, k, pitch_a, (flags & 1) != 0, aligned(a, pitch_a)};
    const Operand across_b = {b, n, k, pitch_b, (flags & 2) != 0, aligned(b, pitch_b)};

    float sum[8][8] = {};
    down_a.store(as[0][0], down_a.fetch(top, 0));
    across_b.store(bs[0][0], across_b.fetch(left, 0));
    __syncthreads();
    for (unsigned at = 0, stage = 0; at < k; at += STEP, stage ^= 1) {
        const bool more = k - at > STEP;
        float4 next_a, next_b;
        if (more) {
            next_a = down_a.fetch(top, at + STEP);
            next_b = across_b.fetch(left, at + STEP);
        }
#pragma unroll
        for (unsigned p = 0; p < STEP; p++) {
            const float4 a0 = as[stage][p][y / 4], a1 = as[stage][p][y / 4 + 16];
            const float4 b0 = bs[stage][p][x / 4], b1 = bs[stage][p][x / 4 + 16];
            const float down[8] = {a0.x, a0.y, a0.z, a0.w, a1.x, a1.y, a1.z, a1.w};
            const float across[8] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
#pragma unroll
            for (unsigned i = 0; i < 8; i++) {
#pragma unroll
                for (unsigned j = 0; j < 8; j++) {
                    sum[i][j] += down[i] * across[j];
                }
            }
        }
        if (more) {
            down_a.store(as[stage ^ 1][0], next_a);
            across_b.store(bs[stage ^ 1][0], next_b);
        }
        __syncthreads();  // the next step is stored, and nobody reads this one any more
    }

    const float factor = __uint_as_float(factor_bits);
    const bool add = (flags & 4) != 0;
    const bool wide_c = pitch_c % 4 == 0 && n % 4 == 0 && aligned(c + corner, pitch_c) && aligned(d + corner, pitch_c);
#pragma unroll
    for (unsigned i = 0; i < 8; i++) {
        const unsigned row = top + y + i % 4 + i / 4 * 64;
#pragma unroll
        for (unsigned half = 0; half < 2; half++) {
            const unsigned col = left + x + half * 64;
            if (row >= m || col >= n) continue;
            const unsigned long long at = corner + static_cast<unsigned long long>(row) * pitch_c + col;
            const float* s = &sum[i][half * 4];
            if (wide_c) {
                float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
                if (add) v = *reinterpret_cast<const float4*>(d + at);
                *reinterpret_cast<float4*>(c + at) = make_float4(v.x + factor * s[0], v.y + factor * s[1],
                                                                 v.z + factor * s[2], v.w + factor * s[3]);
                continue;
            }
#pragma unroll
            for (unsigned j = 0; j < 4; j++) {
                if (n - col > j) c[at + j] = (add ? d[at + j] : 0.0f) + factor * s[j];
            }
        }
    }
}
