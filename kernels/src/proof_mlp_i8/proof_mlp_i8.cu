// Lanes of an int8 network carried through steps `begin` to `end`: X'[i][j] is the top byte of 0x9E3779B1 * sum of
// X[i][k] W[j][k]. Mirrors proof_mlp_i8.comp; reference.rs is the authority. For devices without int8 matrix units.
//   weights  layers * (width / 4) * width words: word (l, k, j) holds W_l[j][4 k .. 4 k + 3], zero outside of n * n
//   state    m * n bytes, row-major: X_begin, and after the launch X_end
//   n        a multiple of 16; width is n rounded up to 64, at most 1024
//   grid     blocks of 256 threads, 16384 / (width rounded up to a power of two) lanes each, 16 KiB of shared memory
// A block's lanes stay in shared memory. A thread has four of them and sixteen columns, by dp4a.

#define CELLS 16384

#ifndef CUDA_SHIM
// sum + a[0] b[0] + a[1] b[1] + a[2] b[2] + a[3] b[3] over signed bytes.
static __device__ int dot4(int a, int b, int sum) {
    int total;
    asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(total) : "r"(a), "r"(b), "r"(sum));
    return total;
}
#endif

// Four sums, mixed, as four bytes.
static __device__ int mixed(int a, int b, int c, int d) {
    const unsigned mix = 0x9E3779B1u;
    return static_cast<int>((a * mix) >> 24 | (b * mix) >> 24 << 8 | (c * mix) >> 24 << 16 | (d * mix) >> 24 << 24);
}

extern "C" __global__ void __launch_bounds__(256, 2)
    proof_mlp_i8(const int4* __restrict__ weights, int* __restrict__ state, unsigned m, unsigned n, unsigned width,
                 unsigned layers, unsigned begin, unsigned end) {
    // Word (k, i) of lane i, elements 4 k .. 4 k + 3: neighbouring lanes lie side by side.
    __shared__ int4 x[CELLS / 16];
    int* const cells = reinterpret_cast<int*>(x);
    unsigned across = 64;
    while (across < width) {
        across *= 2;
    }
    const unsigned lanes = CELLS / across, columns = across / 16, words = n / 4;
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * lanes;
    for (unsigned item = threadIdx.x; item < lanes * (width / 4); item += 256) {
        const unsigned k = item % (width / 4), lane = item / (width / 4);
        cells[k * lanes + lane] = first + lane < m && k < words ? state[(first + lane) * words + k] : 0;
    }
    __syncthreads();

    // Columns 4 * column .. + 3 of each quarter, lanes 4 * quad .. + 3.
    const unsigned column = threadIdx.x % columns, quad = threadIdx.x / columns, quads = lanes / 4;
    for (unsigned step = begin; step < end; step++) {
        const int4* w = weights + static_cast<unsigned long long>(step % layers) * (width / 4) * (width / 4) + column;
        int sum[4][4][4] = {};
        for (unsigned k = 0; k < width / 4; k++, w += width / 4) {
            const int4 a = x[k * quads + quad];
            const int down[4] = {a.x, a.y, a.z, a.w};
#pragma unroll
            for (unsigned part = 0; part < 4; part++) {
                if (column + part * columns >= width / 4) {
                    continue;
                }
                const int4 b = w[part * columns];
                const int right[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
                for (unsigned i = 0; i < 4; i++) {
#pragma unroll
                    for (unsigned j = 0; j < 4; j++) {
                        sum[part][i][j] = dot4(down[i], right[j], sum[part][i][j]);
                    }
                }
            }
        }
        __syncthreads();  // every thread has read the lanes before they are overwritten
#pragma unroll
        for (unsigned part = 0; part < 4; part++) {
            if (column + part * columns < width / 4) {
                const auto& s = sum[part];
                x[(column + part * columns) * quads + quad] = make_int4(
                    mixed(s[0][0], s[0][1], s[0][2], s[0][3]), mixed(s[1][0], s[1][1], s[1][2], s[1][3]),
                    mixed(s[2][0], s[2][1], s[2][2], s[2][3]), mixed(s[3][0], s[3][1], s[3][2], s[3][3]));
            }
        }
        __syncthreads();
    }

    for (unsigned item = threadIdx.x; item < lanes * words; item += 256) {
        const unsigned k = item % words, lane = item / words;
        if (first + lane < m) {
            state[(first + lane) * words + k] = cells[k * lanes + lane];
        }
    }
}
