// prelude: product/mma.cuh
// C = A * transpose(B) on matrix units, f16 in and out, sums in f32: the tuned path. reference.rs is the authority.
//   a, b, c  m * k, n * k and m * n halves, row-major, any sizes, aligned to 2 bytes
//   grid     ceil(n / 128) by ceil(m / 128) blocks of 256 threads, 48 KiB of shared memory
// A block computes 128 x 128 of C in steps of 32 along k, a warp 64 x 32 of it. Shared memory holds three steps: one is
// multiplied while two are on their way. C leaves through shared memory, so that whole lines are written.

#define TILE 128
#define STEP 32
#define STAGES 3
// Pieces of eight halves, 16 bytes, in a row of a step.
#define PIECES (STEP / 8)
// Words of a row of C in shared memory: eight rows of four words fall into different banks.
#define PITCH (TILE / 2 + 4)

// Where a piece stands in a stage: the eight rows that are read at once fall into different banks.
static __device__ unsigned place(unsigned row, unsigned piece) { return row * PIECES + (piece ^ (row / 2 % PIECES)); }

// Up to eight halves, zeros after them.
static __device__ uint4 eight(const unsigned short* x, unsigned halves) {
    unsigned words[4] = {};
#pragma unroll
    for (unsigned i = 0; i < 8; i++) {
        if (i < halves) words[i / 2] |= static_cast<unsigned>(x[i]) << 16 * (i % 2);
    }
    return make_uint4(words[0], words[1], words[2], words[3]);
}

// Begins to bring 128 rows of one step, with zeros outside of the matrix.
static __device__ void fetch(uint4* stage, const unsigned short* __restrict__ x, unsigned top, unsigned rows, unsigned at,
                             unsigned k, bool wide) {
#pragma unroll
    for (unsigned i = 0; i < TILE * PIECES / 256; i++) {
        const unsigned item = threadIdx.x + 256 * i, row = item / PIECES, piece = item % PIECES;
        const unsigned col = at + 8 * piece;
        const bool inside = top + row < rows && col < k;
        const unsigned short* from = inside ? x + static_cast<unsigned long long>(top + row) * k + col : x;
        uint4* to = stage + place(row, piece);
        if (wide) {
            copy_later(to, from, inside ? 16 : 0);
        } else {
            *to = eight(from, inside ? k - col : 0);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, 2)
    gemm_f16_mma(const unsigned short* __restrict__ a, const unsigned short* __restrict__ b,
                 unsigned short* __restrict__ c, unsigned m, unsigned n, unsigned k) {
    __shared__ uint4 stages[STAGES][2][TILE * PIECES];
    const unsigned thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    const unsigned top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    const unsigned down = warp / 4 * 64, across = warp % 4 * 32;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(a) | reinterpret_cast<unsigned long long>(b);
    const bool wide = k % 8 == 0 && (bits & 15) == 0;
    const unsigned steps = k / STEP + (k % STEP != 0);

#pragma unroll
    for (unsigned step = 0; step < STAGES - 1; step++) {
        if (step < steps) {
            fetch(stages[step][0], a, top, m, step * STEP, k, wide);
            fetch(stages[step][1], b, left, n, step * STEP, k, wide);
        }
        close_copies();
    }
    float sum[4][4][4] = {};
    unsigned now = 0, next = STAGES - 1;
    for (unsigned step = 0; step < steps; step++) {
        await_copies(STAGES - 2);
        __syncthreads();  // all of this step is there, and nobody reads the step that the next copies overwrite
        if (steps - step > STAGES - 1) {
            const unsigned at = (step + STAGES - 1) * STEP;
            fetch(stages[next][0], a, top, m, at, k, wide);
            fetch(stages[next][1], b, left, n, at, k, wide);
        }
        close_copies();
        const uint4 *as = stages[now][0], *bs = stages[now][1];
#pragma unroll
        for (unsigned p = 0; p < PIECES; p += 2) {
            unsigned rows[4][4], columns[2][4];
#pragma unroll
            for (unsigned i = 0; i < 4; i++) {
                fragments(rows[i], as + place(down + 16 * i + lane % 16, p + lane / 16));
            }
#pragma unroll
            for (unsigned j = 0; j < 2; j++) {
                fragments(columns[j], bs + place(across + 16 * j + lane / 16 * 8 + lane % 8, p + lane / 8 % 2));
            }
#pragma unroll
            for (unsigned i = 0; i < 4; i++) {
#pragma unroll
                for (unsigned j = 0; j < 4; j++) {
                    const unsigned column[2] = {columns[j / 2][j % 2 * 2], columns[j / 2][j % 2 * 2 + 1]};
                    multiply(sum[i][j], rows[i], column);
                }
            }
        }
        now = now + 1 < STAGES ? now + 1 : 0;
        next = next + 1 < STAGES ? next + 1 : 0;
    }

    __syncthreads();  // nobody reads operands any more
    unsigned* cells = reinterpret_cast<unsigned*>(stages);
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
#pragma unroll
        for (unsigned j = 0; j < 4; j++) {
            unsigned* to = cells + (down + 16 * i + lane / 4) * PITCH + (across + 8 * j) / 2 + lane % 4;
            to[0] = rounded2(sum[i][j][0], sum[i][j][1]);
            to[8 * PITCH] = rounded2(sum[i][j][2], sum[i][j][3]);
        }
    }
    __syncthreads();
    const bool wide_c = n % 8 == 0 && (reinterpret_cast<unsigned long long>(c) & 15) == 0;
#pragma unroll
    for (unsigned i = 0; i < TILE; i += 16) {
        const unsigned row = i + thread / 16, col = thread % 16 * 8;
        if (top + row < m && left + col < n) {
            const uint4 v = *reinterpret_cast<const uint4*>(cells + row * PITCH + col / 2);
            unsigned short* out = c + static_cast<unsigned long long>(top + row) * n + left + col;
            if (wide_c) {
                *reinterpret_cast<uint4*>(out) = v;
            } else {
                const unsigned words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
                for (unsigned j = 0; j < 8; j++) {
                    if (n - left - col > j) out[j] = words[j / 2] >> 16 * (j % 2);
                }
            }
        }
    }
}
