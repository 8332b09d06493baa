// prelude: half/half.cuh
// C = A * transpose(B), f16 in and out, sums in f32. Mirrors gemm_f16.comp; reference.rs is the authority.
//   a, b, c  m * k, n * k and m * n halves, row-major, any sizes, aligned to 2 bytes
//   grid     ceil(n / 128) by ceil(m / 128) blocks of 256 threads, 33 KiB of shared memory
// A block computes 128 x 128 of C in steps of 16 along k, tiles as in gemm_f32.cu, widened when they are stored.

#define TILE 128
#define STEP 16
// Rows of 132 floats spread the columns that one thread stores over the banks and keep 16-byte reads aligned.
#define PITCH (TILE + 4)

// Eight halves of one row from column `col`; zeros outside of the matrix.
static __device__ uint4 eight(const unsigned short* __restrict__ x, unsigned row, unsigned rows, unsigned col,
                              unsigned k, bool wide) {
    if (row >= rows || col >= k) {
        return make_uint4(0, 0, 0, 0);
    }
    const unsigned short* p = x + static_cast<unsigned long long>(row) * k + col;
    if (wide) {
        return *reinterpret_cast<const uint4*>(p);
    }
    unsigned long long low = 0, high = 0;
    const unsigned columns = k - col < 8 ? k - col : 8;
#pragma unroll 1
    for (unsigned i = 0; i < columns; i++) {
        const unsigned long long half = p[i];
        low |= i < 4 ? half << 16 * i : 0;
        high |= i < 4 ? 0 : half << 16 * (i - 4);
    }
    return make_uint4(low, low >> 32, high, high >> 32);
}

static __device__ void store(float4* tile, unsigned row, unsigned col, uint4 v) {
    float* to = reinterpret_cast<float*>(tile) + col * PITCH + row;
    const unsigned words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
        to[2 * i * PITCH] = widen(words[i] & 0xFFFF);
        to[(2 * i + 1) * PITCH] = widen(words[i] >> 16);
    }
}

extern "C" __global__ void __launch_bounds__(256, 2)
    gemm_f16(const unsigned short* __restrict__ a, const unsigned short* __restrict__ b,
             unsigned short* __restrict__ c, unsigned m, unsigned n, unsigned k) {
    __shared__ float4 as[2][STEP][PITCH / 4], bs[2][STEP][PITCH / 4];
    const unsigned thread = threadIdx.x;
    const unsigned top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    const unsigned load_row = thread / 2, load_col = thread % 2 * 8;
    const unsigned warp = thread / 32, lane = thread % 32;
    const unsigned y = (warp / 2 * 4 + lane / 8) * 4, x = (warp % 2 * 8 + lane % 8) * 4;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(a) | reinterpret_cast<unsigned long long>(b);
    const bool wide = k % 8 == 0 && (bits & 15) == 0;

    float sum[8][8] = {};
    store(as[0][0], load_row, load_col, eight(a, top + load_row, m, load_col, k, wide));
    store(bs[0][0], load_row, load_col, eight(b, left + load_row, n, load_col, k, wide));
    __syncthreads();
    for (unsigned at = 0, stage = 0; at < k; at += STEP, stage ^= 1) {
        const bool more = k - at > STEP;
        uint4 next_a, next_b;
        if (more) {
            next_a = eight(a, top + load_row, m, at + STEP + load_col, k, wide);
            next_b = eight(b, left + load_row, n, at + STEP + load_col, k, wide);
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
            store(as[stage ^ 1][0], load_row, load_col, next_a);
            store(bs[stage ^ 1][0], load_row, load_col, next_b);
        }
        __syncthreads();  // the next step is stored, and nobody reads this one any more
    }

    const bool wide_c = n % 4 == 0 && (reinterpret_cast<unsigned long long>(c) & 7) == 0;
#pragma unroll
    for (unsigned i = 0; i < 8; i++) {
        const unsigned row = top + y + i % 4 + i / 4 * 64;
#pragma unroll
        for (unsigned half = 0; half < 2; half++) {
            const unsigned col = left + x + half * 64;
            if (row < m && col < n) {
                unsigned short* out = c + static_cast<unsigned long long>(row) * n + col;
                unsigned halves[4];
#pragma unroll
                for (unsigned j = 0; j < 4; j++) halves[j] = narrow(sum[i][half * 4 + j]);
                if (wide_c) {
                    *reinterpret_cast<uint2*>(out) = make_uint2(halves[0] | halves[1] << 16, halves[2] | halves[3] << 16);
                } else {
#pragma unroll
                    for (unsigned j = 0; j < 4; j++) {
                        if (n - col > j) out[j] = halves[j];
                    }
                }
            }
        }
    }
}
