// Lanes of an int8 network carried through steps `begin` to `end`, as proof_mlp_i8.cu, on int8 matrix units.
//   weights  layers * (width / 4) * width words: word (l, k, j) holds W_l[j][4 k .. 4 k + 3], zero outside of n * n
//   state    m * n bytes, row-major: X_begin, and after the launch X_end
//   n        a multiple of 16; width is n rounded up to 64, at most 1024
//   lanes    lanes of a block: 64 or 128
//   grid     blocks of 256 threads, 2 * lanes * (width + 32) bytes of dynamic shared memory
// A block's lanes stay in shared memory, read from one half of it and written to the other. A warp takes 64 lanes and 32
// columns at a time; weights come straight from the caches, in the order in which the units want them.

#define PAD 8

#ifndef CUDA_SHIM
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]

// c += A B^T over one fragment of 16 lanes, 8 columns and 32 elements; see the PTX ISA for which thread holds what.
static __device__ void multiply(int (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// Four sums, mixed, as four bytes.
static __device__ unsigned mixed(int a, int b, int c, int d) {
    const unsigned mix = 0x9E3779B1u;
    return (a * mix) >> 24 | (b * mix) >> 24 << 8 | (c * mix) >> 24 << 16 | (d * mix) >> 24 << 24;
}

extern "C" __global__ void __launch_bounds__(256)
    proof_mlp_i8_mma(const uint4* __restrict__ weights, unsigned* __restrict__ state, unsigned m, unsigned n,
                     unsigned width, unsigned layers, unsigned begin, unsigned end, unsigned lanes) {
    DYNAMIC_SHARED(uint2, shared);
    // Rows of an odd number of 32-byte pieces: eight neighbouring lanes fall into different banks.
    const unsigned pitch = width / 4 + PAD, words = n / 4;
    uint2 *now = shared, *next = shared + lanes * pitch / 2;
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * lanes;
    unsigned* cells = reinterpret_cast<unsigned*>(now);
    for (unsigned item = threadIdx.x; item < lanes * (width / 4); item += 256) {
        const unsigned k = item % (width / 4), lane = item / (width / 4);
        cells[lane * pitch + k] = first + lane < m && k < words ? state[(first + lane) * words + k] : 0;
    }
    __syncthreads();

    const unsigned warp = threadIdx.x / 32, group = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
    const unsigned down = lanes / 64, across = 8 / down;
    const unsigned top = warp % down * 64 + group;
    for (unsigned step = begin; step < end; step++) {
        const uint4* layer = weights + static_cast<unsigned long long>(step % layers) * (width / 4) * (width / 4);
        for (unsigned left = warp / down * 32; left < width; left += across * 32) {
            // The units sum over any order of k and take columns in any order, so long as both sides agree: a thread's words
            // of k are two neighbours, its columns four neighbours, and its sums make whole words.
            const uint4* w = layer + 2 * member * (width / 4) + left / 4 + group;
            const uint2* a = now + (top * pitch) / 2 + member;
            int sum[4][4][4] = {};
            uint4 low = w[0], high = w[width / 4];
            for (unsigned k = 0; k < width / 4; k += 8) {
                const unsigned b[4][2] = {{low.x, high.x}, {low.y, high.y}, {low.z, high.z}, {low.w, high.w}};
                if (k + 8 < width / 4) {
                    w += 8 * (width / 4);
                    low = w[0];
                    high = w[width / 4];
                }
#pragma unroll
                for (unsigned i = 0; i < 4; i++) {
                    const uint2 upper = a[(16 * i * pitch + k) / 2], lower = a[((16 * i + 8) * pitch + k) / 2];
                    const unsigned fragment[4] = {upper.x, lower.x, upper.y, lower.y};
#pragma unroll
                    for (unsigned j = 0; j < 4; j++) {
                        multiply(sum[i][j], fragment, b[j]);
                    }
                }
            }
            uint2* out = next + (top * pitch + left / 4) / 2 + member;
#pragma unroll
            for (unsigned i = 0; i < 4; i++) {
                const auto& s = sum[i];
                out[16 * i * pitch / 2] = make_uint2(mixed(s[0][0], s[1][0], s[2][0], s[3][0]),
                                                     mixed(s[0][1], s[1][1], s[2][1], s[3][1]));
                out[(16 * i + 8) * pitch / 2] = make_uint2(mixed(s[0][2], s[1][2], s[2][2], s[3][2]),
                                                           mixed(s[0][3], s[1][3], s[2][3], s[3][3]));
            }
        }
        __syncthreads();  // the next lanes are whole, and nobody reads these any more
        uint2* const read = now;
        now = next;
        next = read;
    }

    cells = reinterpret_cast<unsigned*>(now);
    for (unsigned item = threadIdx.x; item < lanes * words; item += 256) {
        const unsigned k = item % words, lane = item / words;
        if (first + lane < m) {
            state[(first + lane) * words + k] = cells[lane * pitch + k];
        }
    }
}
