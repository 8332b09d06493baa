// C = A * transpose(B) with sums in f32, for every width of operand. reference.rs of each workload is the authority.
//   a, b, c  m * k, n * k and m * n elements, row-major, aligned to an element, any sizes
//   grid     ceil(n / 128) by ceil(m / 128) blocks of 256 threads, 16.5 KiB of shared memory for f32, else 33
// A block computes 128 x 128 of C in steps along k, which each element takes in ascending order. A thread computes four
// squares of 4 x 4, 64 apart, so that the 16-byte reads of a warp touch every bank of shared memory once. Operands are
// fetched 16 bytes at a time, a step ahead of their use, and widened when they are stored.

#define TILE 128
// Rows of 132 floats spread the columns that one thread stores over the banks and keep 16-byte reads aligned.
#define PITCH (TILE + 4)

// Elements as unsigned words, what they are worth, and how four neighbours of C are kept.
struct F32 {
    using Word = unsigned;
    using Four = uint4;
    static __device__ float widen(unsigned bits) { return __uint_as_float(bits); }
    static __device__ unsigned narrow(float single) { return __float_as_uint(single); }
    static __device__ uint4 four(const unsigned* x) { return make_uint4(x[0], x[1], x[2], x[3]); }
};

struct Bf16 {
    using Word = unsigned short;
    using Four = uint2;
    static __device__ float widen(unsigned bits) { return __uint_as_float(bits << 16); }
    // Nearest, ties to even.
    static __device__ unsigned narrow(float single) {
        const unsigned bits = __float_as_uint(single);
        const bool nan = (bits & 0x7FFFFFFF) > 0x7F800000;
        return nan ? bits >> 16 | 0x40 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    }
    static __device__ uint2 four(const unsigned* x) { return make_uint2(x[0] | x[1] << 16, x[2] | x[3] << 16); }
};

// Sixteen bytes of one row from column `col`; zeros outside of the matrix.
template <class Word>
static __device__ uint4 sixteen(const Word* __restrict__ x, unsigned row, unsigned rows, unsigned col, unsigned k,
                                bool wide) {
    constexpr unsigned ELEMENTS = 16 / sizeof(Word), BITS = 8 * sizeof(Word);
    if (row >= rows || col >= k) {
        return make_uint4(0, 0, 0, 0);
    }
    const Word* p = x + static_cast<unsigned long long>(row) * k + col;
    if (wide) {
        return *reinterpret_cast<const uint4*>(p);
    }
    unsigned long long low = 0, high = 0;
    const unsigned columns = k - col < ELEMENTS ? k - col : ELEMENTS;
#pragma unroll 1
    for (unsigned i = 0; i < columns; i++) {
        const unsigned long long element = p[i];
        low |= i < ELEMENTS / 2 ? element << BITS * i : 0;
        high |= i < ELEMENTS / 2 ? 0 : element << BITS * (i - ELEMENTS / 2);
    }
    return make_uint4(low, low >> 32, high, high >> 32);
}

template <class Operand>
static __device__ void store(float* to, uint4 v) {
    constexpr unsigned EACH = 4 / sizeof(typename Operand::Word), BITS = 32 / EACH;
    const unsigned words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
#pragma unroll
        for (unsigned j = 0; j < EACH; j++) {
            to[(EACH * i + j) * PITCH] = Operand::widen(words[i] << (32 - BITS * (j + 1)) >> (32 - BITS));
        }
    }
}

// Shared memory of a block: each of two steps of both operands, a column of 128 rows after the other.
template <unsigned STEP>
struct Tiles {
    float4 of[2][2][STEP][PITCH / 4];
};

// Columns of a step: 16 bytes of a row are a piece, and each thread has one or two pieces.
template <class Operand>
constexpr unsigned STEP_OF = sizeof(typename Operand::Word) == 4 ? 8 : 16;

template <class Operand, class Output>
static __device__ void product(const typename Operand::Word* __restrict__ a,
                               const typename Operand::Word* __restrict__ b, typename Output::Word* __restrict__ c,
                               unsigned m, unsigned n, unsigned k, Tiles<STEP_OF<Operand>>& tiles) {
    using Word = typename Operand::Word;
    constexpr unsigned STEP = STEP_OF<Operand>, ELEMENTS = 16 / sizeof(Word), PIECES = TILE * STEP / ELEMENTS;
    constexpr unsigned ACROSS = STEP / ELEMENTS, EACH = 2 * PIECES / 256;
    const unsigned thread = threadIdx.x;
    const unsigned top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    const unsigned warp = thread / 32, lane = thread % 32;
    const unsigned y = (warp / 2 * 4 + lane / 8) * 4, x = (warp % 2 * 8 + lane % 8) * 4;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(a) | reinterpret_cast<unsigned long long>(b);
    const bool wide = k % ELEMENTS == 0 && (bits & 15) == 0;

    // Pieces lie along the rows of A, then of B: with two a thread, its first is of A and its second of B.
    const unsigned row = thread % PIECES / ACROSS, col = thread % ACROSS * ELEMENTS;
    const auto of_b = [&](unsigned i) { return EACH == 2 ? i == 1 : thread >= PIECES; };
    const auto fetch = [&](unsigned i, unsigned at) {
        return sixteen(of_b(i) ? b : a, (of_b(i) ? left : top) + row, of_b(i) ? n : m, at + col, k, wide);
    };
    const auto keep = [&](unsigned i, unsigned stage, uint4 v) {
        store<Operand>(reinterpret_cast<float*>(tiles.of[stage][of_b(i)][col]) + row, v);
    };

    float sum[8][8] = {};
#pragma unroll
    for (unsigned i = 0; i < EACH; i++) keep(i, 0, fetch(i, 0));
    __syncthreads();
    for (unsigned at = 0, stage = 0; at < k; at += STEP, stage ^= 1) {
        const bool more = k - at > STEP;
        uint4 next[EACH];
        if (more) {
#pragma unroll
            for (unsigned i = 0; i < EACH; i++) next[i] = fetch(i, at + STEP);
        }
#pragma unroll
        for (unsigned p = 0; p < STEP; p++) {
            const float4 *as = tiles.of[stage][0][p], *bs = tiles.of[stage][1][p];
            const float4 a0 = as[y / 4], a1 = as[y / 4 + 16], b0 = bs[x / 4], b1 = bs[x / 4 + 16];
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
            for (unsigned i = 0; i < EACH; i++) keep(i, stage ^ 1, next[i]);
        }
        __syncthreads();  // the next step is stored, and nobody reads this one any more
    }

    const bool wide_c = n % 4 == 0 && (reinterpret_cast<unsigned long long>(c) & (sizeof(typename Output::Four) - 1)) == 0;
#pragma unroll
    for (unsigned i = 0; i < 8; i++) {
        const unsigned row = top + y + i % 4 + i / 4 * 64;
#pragma unroll
        for (unsigned half = 0; half < 2; half++) {
            const unsigned col = left + x + half * 64;
            if (row < m && col < n) {
                typename Output::Word* out = c + static_cast<unsigned long long>(row) * n + col;
                unsigned narrowed[4];
#pragma unroll
                for (unsigned j = 0; j < 4; j++) narrowed[j] = Output::narrow(sum[i][half * 4 + j]);
                if (wide_c) {
                    *reinterpret_cast<typename Output::Four*>(out) = Output::four(narrowed);
                } else {
#pragma unroll
                    for (unsigned j = 0; j < 4; j++) {
                        if (n - col > j) out[j] = narrowed[j];
                    }
                }
            }
        }
    }
}
