// prelude: half/half.glsl
// C = A B^T for each of `batch` pairs of matrices in f16 with f32 sums, one 64 x 64 tile of C per workgroup, 8 x 8 elements
// per invocation. Mirrors gemm_batched_f16.cu.
//   a        batch matrices of m * k halves, row-major, one after the other, two to a word
//   b        batch matrices of n * k halves
//   c        batch matrices of m * n halves; with an odd n, rows share words and their halves are written by atomics
//   m n k    any sizes; what lies outside counts as zero
//   grid     (n / 64, m / 64) workgroups, rounded up, of 64 invocations, by at most batch, with 6 KiB of shared memory; a
//            workgroup takes every product that is as many grids deep as its own
// Each element takes k in ascending order.
layout(local_size_x = 64) in;
layout(push_constant) uniform Sizes { uint m, n, k, batch; };
layout(std430, binding = 0) readonly buffer A4 { uvec4 a4[]; };
layout(std430, binding = 0) readonly buffer A1 { uint a1[]; };
layout(std430, binding = 1) readonly buffer B4 { uvec4 b4[]; };
layout(std430, binding = 1) readonly buffer B1 { uint b1[]; };
layout(std430, binding = 2) buffer C1 { uint c[]; };

const uint TILE = 64;
const uint DEPTH = 8;
// Two vec4s of k and one of padding: eight neighbouring rows fall into different banks.
const uint PITCH = 3;
const uint STEP = 8;

shared vec4 a_tile[TILE * PITCH];
shared vec4 b_tile[TILE * PITCH];

// Places half `at`, from its word, as number `i` of eight.
void place(inout uvec4 eight, uint i, uint word, uint at) {
    uint half_bits = (word >> (16 * (at % 2))) & 0xFFFFu;
    eight[i / 2] |= half_bits << (16 * (i % 2));
}

uvec4 load_a(uint z, uint row, uint at) {
    uvec4 eight = uvec4(0);
    if (row >= m || at >= k) {
        return eight;
    }
    uint first = (z * m + row) * k + at;
    if (k % 8 == 0) {
        return a4[first / 8];
    }
    for (uint i = 0; i < min(k - at, 8); ++i) {
        place(eight, i, a1[(first + i) / 2], first + i);
    }
    return eight;
}

uvec4 load_b(uint z, uint row, uint at) {
    uvec4 eight = uvec4(0);
    if (row >= n || at >= k) {
        return eight;
    }
    uint first = (z * n + row) * k + at;
    if (k % 8 == 0) {
        return b4[first / 8];
    }
    for (uint i = 0; i < min(k - at, 8); ++i) {
        place(eight, i, b1[(first + i) / 2], first + i);
    }
    return eight;
}

vec4 four(uvec2 words) {
    return vec4(unpackHalf2x16(words.x), unpackHalf2x16(words.y));
}

// Column of C, within the tile, that slot `slot` of b_tile holds: an invocation's slots tx + 8 j make pairs of neighbouring
// columns, which share a word.
uint column(uint slot) {
    return 2 * (slot % STEP) + slot / STEP % 2 + 2 * STEP * (slot / (2 * STEP));
}

void store_pair(uint z, uint row, uint col, float left, float right) {
    if (row >= m || col >= n) {
        return;
    }
    uint first = (z * m + row) * n + col;
    if (n % 2 == 0) {
        c[first / 2] = narrow2(vec2(left, right));
        return;
    }
    STORE_HALF(c, first, narrow(left))
    if (col + 1 < n) {
        STORE_HALF(c, first + 1, narrow(right))
    }
}

void main() {
    uint row0 = gl_WorkGroupID.y * TILE;
    uint col0 = gl_WorkGroupID.x * TILE;
    uint mine = gl_LocalInvocationIndex;
    uint tx = mine % STEP;
    uint ty = mine / STEP;
    for (uint z = gl_WorkGroupID.z; z < batch; z += gl_NumWorkGroups.z) {
        float sum[8][8];
        [[unroll]] for (uint i = 0; i < 8; ++i) {
            [[unroll]] for (uint j = 0; j < 8; ++j) {
                sum[i][j] = 0;
            }
        }
        uvec4 next_a = load_a(z, row0 + mine, 0);
        uvec4 next_b = load_b(z, col0 + column(mine), 0);
        for (uint k0 = 0; k0 < k; k0 += DEPTH) {
            a_tile[mine * PITCH] = four(next_a.xy);
            a_tile[mine * PITCH + 1] = four(next_a.zw);
            b_tile[mine * PITCH] = four(next_b.xy);
            b_tile[mine * PITCH + 1] = four(next_b.zw);
            barrier();
            next_a = load_a(z, row0 + mine, k0 + DEPTH);
            next_b = load_b(z, col0 + column(mine), k0 + DEPTH);
            [[unroll]] for (uint q = 0; q < 2; ++q) {
                vec4 a[8];
                [[unroll]] for (uint i = 0; i < 8; ++i) {
                    a[i] = a_tile[(ty + i * STEP) * PITCH + q];
                }
                [[unroll]] for (uint j = 0; j < 8; ++j) {
                    vec4 b = b_tile[(tx + j * STEP) * PITCH + q];
                    [[unroll]] for (uint i = 0; i < 8; ++i) {
                        sum[i][j] += a[i].x * b.x;
                        sum[i][j] += a[i].y * b.y;
                        sum[i][j] += a[i].z * b.z;
                        sum[i][j] += a[i].w * b.w;
                    }
                }
            }
            barrier();  // every invocation has read the tiles before the next ones overwrite them
        }
        [[unroll]] for (uint i = 0; i < 8; ++i) {
            [[unroll]] for (uint j = 0; j < 8; j += 2) {
                store_pair(z, row0 + ty + i * STEP, col0 + column(tx + j * STEP), sum[i][j], sum[i][j + 1]);
            }
        }
    }
}
