// C = A * transpose(B), i8 into i32, exact modulo 2^32. Mirrors gemm_i8.comp; reference.rs is the authority.
//   a, b, c  m * k and n * k bytes, m * n words, row-major, any alignment of a and b and any sizes
//   grid     ceil(n / 128) by ceil(m / 128) blocks of 256 threads, 16.5 KiB of shared memory
// A block computes 128 x 128 of C in steps of 32 along k, four at a time by dp4a. Tiles are as in gemm_f32.cu, with a
// word of four neighbours along k in place of each float.

#define TILE 128
#define STEP 32
#define WORDS (STEP / 4)
// Rows of 132 words: the two halves of a warp store 4 * 132 words apart, which is 16 banks.
#define PITCH (TILE + 4)

#ifndef CUDA_SHIM
// sum + a[0] b[0] + a[1] b[1] + a[2] b[2] + a[3] b[3] over signed bytes.
static __device__ int dot4(int a, int b, int sum) {
    int total;
    asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(total) : "r"(a), "r"(b), "r"(sum));
    return total;
}
#endif

// Sixteen bytes of one row from column `col`; zeros outside of the matrix.
static __device__ int4 sixteen(const signed char* __restrict__ x, unsigned row, unsigned rows, unsigned col, unsigned k,
                               bool wide) {
    if (row >= rows || col >= k) {
        return make_int4(0, 0, 0, 0);
    }
    const signed char* p = x + static_cast<unsigned long long>(row) * k + col;
    if (wide) {
        return *reinterpret_cast<const int4*>(p);
    }
    unsigned long long low = 0, high = 0;
    const unsigned columns = k - col < 16 ? k - col : 16;
#pragma unroll 1
    for (unsigned i = 0; i < columns; i++) {
        const unsigned long long byte = static_cast<unsigned char>(p[i]);
        low |= i < 8 ? byte << 8 * i : 0;
        high |= i < 8 ? 0 : byte << 8 * (i - 8);
    }
    return make_int4(low, low >> 32, high, high >> 32);
}

static __device__ void store(int4* tile, unsigned row, unsigned word, int4 v) {
    int* to = reinterpret_cast<int*>(tile) + word * PITCH + row;
    to[0] = v.x;
    to[PITCH] = v.y;
    to[2 * PITCH] = v.z;
    to[3 * PITCH] = v.w;
}

extern "C" __global__ void __launch_bounds__(256, 2)
    gemm_i8(const signed char* __restrict__ a, const signed char* __restrict__ b, int* __restrict__ c, unsigned m,
            unsigned n, unsigned k) {
    __shared__ int4 as[2][WORDS][PITCH / 4], bs[2][WORDS][PITCH / 4];
    const unsigned thread = threadIdx.x;
    const unsigned top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    const unsigned load_row = thread / 2, load_col = thread % 2 * 16;
    const unsigned warp = thread / 32, lane = thread % 32;
    const unsigned y = (warp / 2 * 4 + lane / 8) * 4, x = (warp % 2 * 8 + lane % 8) * 4;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(a) | reinterpret_cast<unsigned long long>(b);
    const bool wide = k % 16 == 0 && (bits & 15) == 0;

    int sum[8][8] = {};
    store(as[0][0], load_row, load_col / 4, sixteen(a, top + load_row, m, load_col, k, wide));
    store(bs[0][0], load_row, load_col / 4, sixteen(b, left + load_row, n, load_col, k, wide));
    __syncthreads();
    for (unsigned at = 0, stage = 0; at < k; at += STEP, stage ^= 1) {
        const bool more = k - at > STEP;
        int4 next_a, next_b;
        if (more) {
            next_a = sixteen(a, top + load_row, m, at + STEP + load_col, k, wide);
            next_b = sixteen(b, left + load_row, n, at + STEP + load_col, k, wide);
        }
#pragma unroll
        for (unsigned p = 0; p < WORDS; p++) {
            const int4 a0 = as[stage][p][y / 4], a1 = as[stage][p][y / 4 + 16];
            const int4 b0 = bs[stage][p][x / 4], b1 = bs[stage][p][x / 4 + 16];
            const int down[8] = {a0.x, a0.y, a0.z, a0.w, a1.x, a1.y, a1.z, a1.w};
            const int across[8] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
#pragma unroll
            for (unsigned i = 0; i < 8; i++) {
#pragma unroll
                for (unsigned j = 0; j < 8; j++) {
                    sum[i][j] = dot4(down[i], across[j], sum[i][j]);
                }
            }
        }
        if (more) {
            store(as[stage ^ 1][0], load_row, load_col / 4, next_a);
            store(bs[stage ^ 1][0], load_row, load_col / 4, next_b);
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
                int* out = c + static_cast<unsigned long long>(row) * n + col;
                const int* s = &sum[i][half * 4];
                if (wide_c) {
                    *reinterpret_cast<int4*>(out) = make_int4(s[0], s[1], s[2], s[3]);
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
