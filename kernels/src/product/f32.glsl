#version 450
#extension GL_EXT_control_flow_attributes : require
// C = A B^T in f32, one 128 x 128 tile of C per workgroup, 8 x 8 elements per invocation. Mirrors tile.cuh.
//   a      m * k floats, row-major
//   b      n * k floats, row-major
//   c      m * n floats, row-major
//   m n k  any sizes; what lies outside counts as zero
//   grid   (n / 128, m / 128) workgroups, rounded up, of 256 invocations, 12 KiB of shared memory
// Each element takes k in ascending order.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint m, n, k; };
layout(std430, binding = 0) readonly buffer A4 { vec4 a4[]; };
layout(std430, binding = 0) readonly buffer A1 { float a1[]; };
layout(std430, binding = 1) readonly buffer B4 { vec4 b4[]; };
layout(std430, binding = 1) readonly buffer B1 { float b1[]; };
layout(std430, binding = 2) writeonly buffer C1 { float c[]; };

const uint TILE = 128;
const uint DEPTH = 8;
// Two vec4s of k and one of padding: eight neighbouring rows fall into different banks.
const uint PITCH = 3;
const uint STEP = 16;

shared vec4 a_tile[TILE * PITCH];
shared vec4 b_tile[TILE * PITCH];

vec4 load_a(uint row, uint at) {
    if (row >= m || at >= k) {
        return vec4(0);
    }
    uint first = row * k + at;
    if (k % 4 == 0) {
        return a4[first / 4];
    }
    vec4 quad = vec4(0);
    for (uint i = 0; i < min(k - at, 4); ++i) {
        quad[i] = a1[first + i];
    }
    return quad;
}

vec4 load_b(uint row, uint at) {
    if (row >= n || at >= k) {
        return vec4(0);
    }
    uint first = row * k + at;
    if (k % 4 == 0) {
        return b4[first / 4];
    }
    vec4 quad = vec4(0);
    for (uint i = 0; i < min(k - at, 4); ++i) {
        quad[i] = b1[first + i];
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

    float sum[8][8];
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        [[unroll]] for (uint j = 0; j < 8; ++j) {
            sum[i][j] = 0;
        }
    }
    vec4 next_a = load_a(row0 + load_row, 4 * load_quad);
    vec4 next_b = load_b(col0 + load_row, 4 * load_quad);
    for (uint k0 = 0; k0 < k; k0 += DEPTH) {
        a_tile[load_row * PITCH + load_quad] = next_a;
        b_tile[load_row * PITCH + load_quad] = next_b;
        barrier();
        next_a = load_a(row0 + load_row, k0 + DEPTH + 4 * load_quad);
        next_b = load_b(col0 + load_row, k0 + DEPTH + 4 * load_quad);
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
        [[unroll]] for (uint j = 0; j < 8; ++j) {
            uint row = row0 + ty + i * STEP;
            uint col = col0 + tx + j * STEP;
            if (row < m && col < n) {
                c[row * n + col] = sum[i][j];
            }
        }
    }
}
