// prelude: half/half.cuh
// Y = X transpose(W) with 4-bit weights and i8 activations in blocks of 32, Y in f32. Mirrors tile.glsl; reference.rs is the
// authority.
//   x         m * blocks blocks of 32 signed bytes, on 16 bytes
//   x_scales  m * blocks halves
//   w         n * blocks blocks of 16 bytes, row-major, on 16 bytes: byte j holds weights j, low, and j + 16, each plus 8
//   scales    n * blocks halves
//   y         m * n floats
//   m n blocks  any sizes; n * blocks, 2 * m * blocks and m * n below 2^31
//   grid      ceil(n / 64) by ceil(m / 64) blocks of 256 threads, 19 KiB of shared memory
// A block computes 64 rows for up to 64 tokens in steps of four blocks of weights, which it reads once and widens to bytes as
// it stores them. Thread (tx, ty) has rows 4 tx .. + 3 and tokens ty, ty + 16, ...: as many groups of 16 as there are.
// A block's sum is an exact integer.

#define TILE 64
#define STEP 4
#define WORDS 8           // of a block of activations
#define PITCH (STEP * WORDS + 4)  // of a token's words: tokens side by side fall into different banks

#ifndef CUDA_SHIM
// sum + a[0] b[0] + a[1] b[1] + a[2] b[2] + a[3] b[3] over signed bytes.
static __device__ int dot4(int a, int b, int sum) {
    int total;
    asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(total) : "r"(a), "r"(b), "r"(sum));
    return total;
}
#endif

struct Step {
    // Weights as bytes, 16 times themselves: word p of a block of each row. Rows are exchanged in eights by block, so that
    // blocks of one row that are stored at once fall into different banks.
    int4 w[STEP * WORDS][TILE / 4];
    int4 x[TILE][PITCH / 4];
    float4 w_scales[STEP][TILE / 4];
    float x_scales[STEP][TILE];
};

// What a thread brings of a step: one block of weights and two halves of blocks of activations, with a scale of each.
struct Load {
    uint4 w;
    int4 x[2];
    unsigned short w_scale, x_scale;
};

static __device__ Load load(const int4* __restrict__ x, const unsigned short* __restrict__ x_scales,
                            const uint4* __restrict__ w, const unsigned short* __restrict__ scales, unsigned top,
                            unsigned left, unsigned at, unsigned m, unsigned n, unsigned blocks) {
    const unsigned line = threadIdx.x / STEP, block = at + threadIdx.x % STEP;
    Load got;
    const bool has_w = left + line < n && block < blocks, has_x = top + line < m && block < blocks;
    got.w = has_w ? w[(left + line) * blocks + block] : make_uint4(0, 0, 0, 0);
    got.w_scale = has_w ? scales[(left + line) * blocks + block] : 0;
    got.x_scale = has_x ? x_scales[(top + line) * blocks + block] : 0;
#pragma unroll
    for (unsigned i = 0; i < 2; i++) {
        const unsigned token = top + threadIdx.x / 8 + 32 * i, half = 2 * at + threadIdx.x % 8;
        got.x[i] = token < m && half < 2 * blocks ? x[token * (2 * blocks) + half] : make_int4(0, 0, 0, 0);
    }
    return got;
}

static __device__ void store(Step& step, const Load& got) {
    const unsigned line = threadIdx.x / STEP, block = threadIdx.x % STEP;
    const unsigned words[4] = {got.w.x, got.w.y, got.w.z, got.w.w};
    int* to = reinterpret_cast<int*>(step.w) + block * WORDS * TILE + (line ^ block * 8);
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
        // A nibble above four zero bits, its highest bit turned, is 16 times the nibble minus 8 as a signed byte.
        to[i * TILE] = static_cast<int>((words[i] << 4 & 0xF0F0F0F0) ^ 0x80808080);
        to[(4 + i) * TILE] = static_cast<int>((words[i] & 0xF0F0F0F0) ^ 0x80808080);
    }
    reinterpret_cast<float*>(step.w_scales)[block * TILE + line] = widen(got.w_scale);
    step.x_scales[block][line] = widen(got.x_scale) * 0.0625f;
    step.x[threadIdx.x / 8][threadIdx.x % 8] = got.x[0];
    step.x[threadIdx.x / 8 + 32][threadIdx.x % 8] = got.x[1];
}

template <unsigned GROUPS>
static __device__ void add_step(float (&sums)[4][4], const Step& step) {
    const unsigned tx = threadIdx.x % 16, ty = threadIdx.x / 16;
#pragma unroll
    for (unsigned block = 0; block < STEP; block++) {
        int dots[GROUPS][4] = {};
#pragma unroll
        for (unsigned half = 0; half < 2; half++) {
            int4 x[GROUPS];
#pragma unroll
            for (unsigned j = 0; j < GROUPS; j++) x[j] = step.x[ty + 16 * j][block * 2 + half];
#pragma unroll
            for (unsigned p = 0; p < 4; p++) {
                const int4 w = step.w[block * WORDS + half * 4 + p][tx ^ block * 2];
#pragma unroll
                for (unsigned j = 0; j < GROUPS; j++) {
                    const int word = p == 0 ? x[j].x : p == 1 ? x[j].y : p == 2 ? x[j].z : x[j].w;
                    dots[j][0] = dot4(w.x, word, dots[j][0]);
                    dots[j][1] = dot4(w.y, word, dots[j][1]);
                    dots[j][2] = dot4(w.z, word, dots[j][2]);
                    dots[j][3] = dot4(w.w, word, dots[j][3]);
                }
            }
        }
        const float4 scale = step.w_scales[block][tx];
#pragma unroll
        for (unsigned j = 0; j < GROUPS; j++) {
            const float x_scale = step.x_scales[block][ty + 16 * j];
            sums[j][0] += scale.x * x_scale * static_cast<float>(dots[j][0]);
            sums[j][1] += scale.y * x_scale * static_cast<float>(dots[j][1]);
            sums[j][2] += scale.z * x_scale * static_cast<float>(dots[j][2]);
            sums[j][3] += scale.w * x_scale * static_cast<float>(dots[j][3]);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256)
    gemm_q4(const int4* __restrict__ x, const unsigned short* __restrict__ x_scales, const uint4* __restrict__ w,
            const unsigned short* __restrict__ scales, float* __restrict__ y, unsigned m, unsigned n, unsigned blocks) {
    __shared__ Step step;
    const unsigned left = blockIdx.x * TILE, top = blockIdx.y * TILE;
    const unsigned groups = m - top < TILE ? (m - top + 15) / 16 : 4;
    float sums[4][4] = {};
    Load next = load(x, x_scales, w, scales, top, left, 0, m, n, blocks);
    for (unsigned at = 0; at < blocks; at += STEP) {
        store(step, next);
        __syncthreads();
        if (blocks - at > STEP) next = load(x, x_scales, w, scales, top, left, at + STEP, m, n, blocks);
        switch (groups) {
            case 1: add_step<1>(sums, step); break;
            case 2: add_step<2>(sums, step); break;
            case 3: add_step<3>(sums, step); break;
            default: add_step<4>(sums, step);
        }
        __syncthreads();  // every thread has read the step before the next one overwrites it
    }
    const unsigned row = left + threadIdx.x % 16 * 4;
#pragma unroll
    for (unsigned j = 0; j < 4; j++) {
        const unsigned token = top + threadIdx.x / 16 + 16 * j;
        if (token >= m) continue;
        float* to = y + token * n + row;
        if (n % 4 == 0 && (reinterpret_cast<unsigned long long>(y) & 15) == 0) {
            if (row < n) *reinterpret_cast<float4*>(to) = make_float4(sums[j][0], sums[j][1], sums[j][2], sums[j][3]);
        } else {
#pragma unroll
            for (unsigned r = 0; r < 4; r++) {
                if (row + r < n) to[r] = sums[j][r];
            }
        }
    }
}
