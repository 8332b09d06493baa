// C = A * transpose(B) in f32, every product and every sum rounded, k ascending, no fused multiply-add.
// Mirrors gemm_f32_exact.comp; reference.rs is the authority.
//   a, b, c  m * k, n * k and m * n floats, row-major, any alignment and any sizes
//   grid     ceil(n / 128) by ceil(m / 128) blocks of 256 threads, 16.5 KiB of shared memory
// A block computes 128 x 128 of C in steps of 8 along k. A thread computes four squares of 4 x 4, 64 apart, so that the
// 16-byte reads of a warp touch every bank of shared memory once. The next step is fetched while this one is used.
// Past k both factors are +0: their product is +0, and a sum that began at +0 is never -0, so adding it changes nothing.

#define TILE 128
#define STEP 8
// Rows of 132 floats: the two halves of a warp store 4 * 132 floats apart, which is 16 banks.
#define PITCH (TILE + 4)

// Four floats of one row from column `col`; zeros outside of the matrix.
static __device__ float4 quad(const float* __restrict__ x, unsigned row, unsigned rows, unsigned col, unsigned k,
                              bool wide) {
    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (row < rows && col < k) {
        const float* p = x + static_cast<unsigned long long>(row) * k + col;
        if (wide) {
            return *reinterpret_cast<const float4*>(p);
        }
        v.x = p[0];
        if (k - col > 1) v.y = p[1];
        if (k - col > 2) v.z = p[2];
        if (k - col > 3) v.w = p[3];
    }
    return v;
}

static __device__ void store(float4* tile, unsigned row, unsigned col, float4 v) {
    float* to = reinterpret_cast<float*>(tile) + col * PITCH + row;
    to[0] = v.x;
    to[PITCH] = v.y;
    to[2 * PITCH] = v.z;
    to[3 * PITCH] = v.w;
}

extern "C" __global__ void __launch_bounds__(256, 2)
    gemm_f32_exact(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, unsigned m,
                   unsigned n, unsigned k) {
    __shared__ float4 as[2][STEP][PITCH / 4], bs[2][STEP][PITCH / 4];
    const unsigned thread = threadIdx.x;
    const unsigned top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    const unsigned load_row = thread / 2, load_col = thread % 2 * 4;
    const unsigned warp = thread / 32, lane = thread % 32;
    const unsigned y = (warp / 2 * 4 + lane / 8) * 4, x = (warp % 2 * 8 + lane % 8) * 4;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(a) | reinterpret_cast<unsigned long long>(b);
    const bool wide = k % 4 == 0 && (bits & 15) == 0;

    float sum[8][8] = {};
    store(as[0][0], load_row, load_col, quad(a, top + load_row, m, load_col, k, wide));
    store(bs[0][0], load_row, load_col, quad(b, left + load_row, n, load_col, k, wide));
    __syncthreads();
    for (unsigned at = 0, stage = 0; at < k; at += STEP, stage ^= 1) {
        const bool more = k - at > STEP;
        float4 next_a, next_b;
        if (more) {
            next_a = quad(a, top + load_row, m, at + STEP + load_col, k, wide);
            next_b = quad(b, left + load_row, n, at + STEP + load_col, k, wide);
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
                    sum[i][j] = __fadd_rn(sum[i][j], __fmul_rn(down[i], across[j]));
                }
            }
        }
        if (more) {
            store(as[stage ^ 1][0], load_row, load_col, next_a);
            store(bs[stage ^ 1][0], load_row, load_col, next_b);
        }
        __syncthreads();  // the next step is stored, and nobody reads this one any more
    }

    const bool wide_c = n % 4 == 0 && (reinterpret_cast<unsigned long long>(c) & 15) == 0;
#pragma unroll
    for (unsigned i = 0; i < 8; i++) {
        const unsigned row = top + y + i % 4 + i / 4 * 64;
#pragma unroll
        for (unsigned half = 0; half < 2; half++) {
            const unsigned col = left + x + half * 64;
            if (row < m && col < n) {
                float* out = c + static_cast<unsigned long long>(row) * n + col;
                const float* s = &sum[i][half * 4];
                if (wide_c) {
                    *reinterpret_cast<float4*>(out) = make_float4(s[0], s[1], s[2], s[3]);
                } else {
#pragma unroll
                    for (unsigned j = 0; j < 4; j++) {
                        if (n - col > j) out[j] = s[j];
                    }
                }
            }
        }
    }
}
