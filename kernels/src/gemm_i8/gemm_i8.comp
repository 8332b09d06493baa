// C = A B^T of i8 with i32 sums, one 128 x 128 tile of C per workgroup, 8 x 8 elements per invocation. Mirrors
// gemm_i8.cu.
//   a      m * k bytes, row-major, four to a word
//   b      n * k bytes, row-major
//   c      m * n words, row-major
//   m n k  any sizes; what lies outside counts as zero
//   grid   (n / 128, m / 128) workgroups, rounded up, of 256 invocations, 12 KiB of shared memory
// Integer sums are exact in any order.
#version 450
#extension GL_EXT_control_flow_attributes : require
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint m, n, k; };
layout(std430, binding = 0) readonly buffer A { uint a_words[]; };
layout(std430, binding = 1) readonly buffer B { uint b_words[]; };
layout(std430, binding = 2) writeonly buffer C { int c[]; };

const uint TILE = 128;
const uint DEPTH = 8;
// Two ivec4s of k and one of padding: eight neighbouring rows fall into different banks.
const uint PITCH = 3;
const uint STEP = 16;

shared ivec4 a_tile[TILE * PITCH];
shared ivec4 b_tile[TILE * PITCH];

ivec4 bytes_of(uint word) {
    int bits = int(word);
    return ivec4(bits << 24, bits << 16, bits << 8, bits) >> 24;
}

ivec4 load_a(uint row, uint at) {
    if (row >= m || at >= k) {
        return ivec4(0);
    }
    uint first = row * k + at;
    if (k % 4 == 0) {
        return bytes_of(a_words[first / 4]);
    }
    ivec4 quad = ivec4(0);
    for (uint i = 0; i < min(k - at, 4); ++i) {
        quad[i] = bytes_of(a_words[(first + i) / 4])[(first + i) % 4];
    }
    return quad;
}

ivec4 load_b(uint row, uint at) {
    if (row >= n || at >= k) {
        return ivec4(0);
    }
    uint first = row * k + at;
    if (k % 4 == 0) {
        return bytes_of(b_words[first / 4]);
    }
    ivec4 quad = ivec4(0);
    for (uint i = 0; i < min(k - at, 4); ++i) {
        quad[i] = bytes_of(b_words[(first + i) / 4])[(first + i) % 4];
    }
    return quad;
}

void main() {
    uint row0 = gl_WorkGroupID.y * TILE;
    uint col0 = gl_WorkGroupID.x * TILE;
    uint tx = gl_LocalInvocationIndex % STEP;
    uint ty = gl_LocalInvocationIndex / STEP;
    uint load_row = gl_LocalInvocationIndex / 2;
    uint load_quad = gl_LocalInvocationIndex % 2;

    int sum[8][8];
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        [[unroll]] for (uint j = 0; j < 8; ++j) {
            sum[i][j] = 0;
        }
    }
    ivec4 next_a = load_a(row0 + load_row, 4 * load_quad);
    ivec4 next_b = load_b(col0 + load_row, 4 * load_quad);
    for (uint k0 = 0; k0 < k; k0 += DEPTH) {
        a_tile[load_row * PITCH + load_quad] = next_a;
        b_tile[load_row * PITCH + load_quad] = next_b;
        barrier();
        next_a = load_a(row0 + load_row, k0 + DEPTH + 4 * load_quad);
        next_b = load_b(col0 + load_row, k0 + DEPTH + 4 * load_quad);
        [[unroll]] for (uint q = 0; q < 2; ++q) {
            ivec4 a[8];
            [[unroll]] for (uint i = 0; i < 8; ++i) {
                a[i] = a_tile[(ty + i * STEP) * PITCH + q];
            }
            [[unroll]] for (uint j = 0; j < 8; ++j) {
                ivec4 b = b_tile[(tx + j * STEP) * PITCH + q];
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
        [[unroll]] for (uint j = 0; j < 8; ++j) {
            uint row = row0 + ty + i * STEP;
            uint col = col0 + tx + j * STEP;
            if (row < m && col < n) {
                c[row * n + col] = sum[i][j];
            }
        }
    }
}
