// prelude: half/half.cuh
// C = A * transpose(B) for each of `batch` pairs of matrices, f16 in and out, sums in f32. Mirrors gemm_batched_f16.comp;
// reference.rs is the authority.
//   a, b, c  batch matrices of m * k, n * k and m * n halves, row-major, one after the other, any sizes, aligned to 2 bytes
//   grid     ceil(n / 64) by ceil(m / 64) by at most batch blocks of 64 threads, 17 KiB of shared memory
// A block computes 64 x 64 of C in steps of 16 along k, of every product that is as many grids deep as its own. A thread
// computes four squares of 4 x 4, 32 apart. Each thread fetches one row of A and one of B, a step ahead of their use, and
// widens them when they are stored.

#define TILE 64
#define STEP 16
// Rows of 68 floats keep 16-byte reads aligned; a warp stores 32 neighbours of a row.
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

// Four neighbours of a row of C, of which `columns` are inside.
static __device__ void write(unsigned short* out, const float* sums, unsigned columns, bool wide) {
    if (wide) {
        *reinterpret_cast<uint2*>(out) = make_uint2(narrow2(sums[0], sums[1]), narrow2(sums[2], sums[3]));
        return;
    }
#pragma unroll
    for (unsigned j = 0; j < 4; j++) {
        if (columns > j) out[j] = narrow(sums[j]);
    }
}

extern "C" __global__ void __launch_bounds__(64, 7)
    gemm_batched_f16(const unsigned short* __restrict__ all_a, const unsigned short* __restrict__ all_b,
                     unsigned short* __restrict__ all_c, unsigned m, unsigned n, unsigned k, unsigned batch) {
    __shared__ float4 as[2][STEP][PITCH / 4], bs[2][STEP][PITCH / 4];
    const unsigned thread = threadIdx.x;
    const unsigned top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    const unsigned y = thread / 8 * 4, x = thread % 8 * 4;
    const unsigned long long bits =
        reinterpret_cast<unsigned long long>(all_a) | reinterpret_cast<unsigned long long>(all_b);
    const bool wide = k % 8 == 0 && (bits & 15) == 0;
    const bool wide_c = n % 4 == 0 && (reinterpret_cast<unsigned long long>(all_c) & 7) == 0;

    for (unsigned z = blockIdx.z; z < batch; z += gridDim.z) {
        const unsigned short* a = all_a + static_cast<unsigned long long>(z) * m * k;
        const unsigned short* b = all_b + static_cast<unsigned long long>(z) * n * k;
        unsigned short* c = all_c + static_cast<unsigned long long>(z) * m * n;
        float sum[8][8] = {};
#pragma unroll
        for (unsigned half = 0; half < STEP; half += 8) {
            store(as[0][0], thread, half, eight(a, top + thread, m, half, k, wide));
            store(bs[0][0], thread, half, eight(b, left + thread, n, half, k, wide));
        }
        __syncthreads();
        for (unsigned at = 0, stage = 0; at < k; at += STEP, stage ^= 1) {
            const bool more = k - at > STEP;
            uint4 next_a[2], next_b[2];
            if (more) {
#pragma unroll
                for (unsigned i = 0; i < 2; i++) {
                    next_a[i] = eight(a, top + thread, m, at + STEP + 8 * i, k, wide);
                    next_b[i] = eight(b, left + thread, n, at + STEP + 8 * i, k, wide);
                }
            }
#pragma unroll
            for (unsigned p = 0; p < STEP; p++) {
                const float4 a0 = as[stage][p][y / 4], a1 = as[stage][p][y / 4 + 8];
                const float4 b0 = bs[stage][p][x / 4], b1 = bs[stage][p][x / 4 + 8];
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
#pragma unroll
                for (unsigned i = 0; i < 2; i++) {
                    store(as[stage ^ 1][0], thread, 8 * i, next_a[i]);
                    store(bs[stage ^ 1][0], thread, 8 * i, next_b[i]);
                }
            }
            __syncthreads();  // the next step is stored, and nobody reads this one any more
        }
#pragma unroll
        for (unsigned i = 0; i < 8; i++) {
            const unsigned row = top + y + i % 4 + i / 4 * 32;
#pragma unroll
            for (unsigned half = 0; half < 2; half++) {
                const unsigned col = left + x + half * 32;
                if (row < m && col < n) {
                    write(c + static_cast<unsigned long long>(row) * n + col, &sum[i][half * 4], n - col, wide_c);
                }
            }
        }
    }
}
