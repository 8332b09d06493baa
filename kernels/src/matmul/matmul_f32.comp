// C = factor * A * B, plus D where asked, for a batch of f32 matrices: one 128 x 128 tile of C per workgroup, 8 x 8
// elements per invocation. Mirrors matmul_f32.cu.
//   a, b, d, c    floats; d is laid out as c and may be c
//   pitch_*       floats from one stored row to the next; d has c's
//   stride_*      floats from one product's matrix to the next one's
//   flags         bit 0: A is stored k rows of m, else m rows of k; bit 1: B is stored k rows of n, else n rows of k;
//                 bit 2: add d; from bit 3 on: products in a row that share one B
//   grid          (n / 128, m / 128) workgroups, rounded up, by products, of 256 invocations, 8.25 KiB of shared memory
// Each element takes k in ascending order.
#version 450
#extension GL_EXT_control_flow_attributes : require
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes {
    uint m, n, k, pitch_a, pitch_b, pitch_c, stride_a, stride_b, stride_c, flags;
    float factor;
};
layout(std430, binding = 0) readonly buffer A4 { vec4 a4[]; };
layout(std430, binding = 0) readonly buffer A1 { float a1[]; };
layout(std430, binding = 1) readonly buffer B4 { vec4 b4[]; };
layout(std430, binding = 1) readonly buffer B1 { float b1[]; };
layout(std430, binding = 2) readonly buffer D1 { float d[]; };
layout(std430, binding = 3) writeonly buffer C1 { float c[]; };

const uint TILE = 128;
const uint DEPTH = 8;
const uint STEP = 16;
// In vec4s along the tile's rows; the last is padding, so that quads stored along k fall into different banks.
const uint PITCH = TILE / 4 + 1;

shared vec4 a_tile[DEPTH * PITCH];
shared vec4 b_tile[DEPTH * PITCH];

// Neighbours in memory that this invocation fetches: its row or column of the tile, and its step.
uvec2 place(bool across) {
    uint lane = gl_LocalInvocationIndex;
    return across ? uvec2(lane % 32 * 4, lane / 32) : uvec2(lane / 2, lane % 2 * 4);
}

#define FETCH(name, x4, x1, rows, pitch, first, across) \
vec4 name(uint row, uint step) { \
    if (row >= rows || step >= k) { \
        return vec4(0); \
    } \
    uint at = first + (across ? step * pitch + row : row * pitch + step); \
    uint left = across ? rows - row : k - step; \
    if (left >= 4 && (pitch | first) % 4 == 0) { \
        return x4[at / 4]; \
    } \
    vec4 quad = vec4(0); \
    for (uint i = 0; i < min(left, 4); ++i) { \
        quad[i] = x1[at + i]; \
    } \
    return quad; \
}

FETCH(fetch_a, a4, a1, m, pitch_a, gl_WorkGroupID.z * stride_a, (flags & 1u) != 0)
FETCH(fetch_b, b4, b1, n, pitch_b, gl_WorkGroupID.z / (flags >> 3) * stride_b, (flags & 2u) != 0)

#define KEEP(tile, at, across, quad) \
    if (across) { \
        tile[at.y * PITCH + at.x / 4] = quad; \
    } else { \
        [[unroll]] for (uint i = 0; i < 4; ++i) { \
            tile[(at.y + i) * PITCH + at.x / 4][at.x % 4] = quad[i]; \
        } \
    }

void main() {
    uint row0 = gl_WorkGroupID.y * TILE;
    uint col0 = gl_WorkGroupID.x * TILE;
    uint tx = gl_LocalInvocationIndex % STEP;
    uint ty = gl_LocalInvocationIndex / STEP;
    bool across_a = (flags & 1u) != 0, across_b = (flags & 2u) != 0;
    uvec2 at_a = place(across_a), at_b = place(across_b);

    vec4 sum[8][2];
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        sum[i][0] = vec4(0);
        sum[i][1] = vec4(0);
    }
    vec4 next_a = fetch_a(row0 + at_a.x, at_a.y);
    vec4 next_b = fetch_b(col0 + at_b.x, at_b.y);
    for (uint k0 = 0; k0 < k; k0 += DEPTH) {
        KEEP(a_tile, at_a, across_a, next_a)
        KEEP(b_tile, at_b, across_b, next_b)
        barrier();
        next_a = fetch_a(row0 + at_a.x, k0 + DEPTH + at_a.y);
        next_b = fetch_b(col0 + at_b.x, k0 + DEPTH + at_b.y);
        [[unroll]] for (uint q = 0; q < DEPTH; ++q) {
            vec4 a[2], b[2];
            [[unroll]] for (uint i = 0; i < 2; ++i) {
                a[i] = a_tile[q * PITCH + ty + i * STEP];
                b[i] = b_tile[q * PITCH + tx + i * STEP];
            }
            [[unroll]] for (uint i = 0; i < 8; ++i) {
                sum[i][0] += a[i / 4][i % 4] * b[0];
                sum[i][1] += a[i / 4][i % 4] * b[1];
            }
        }
        barrier();  // every invocation has read the tiles before the next ones overwrite them
    }
    bool add = (flags & 4u) != 0;
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        uint row = row0 + 4 * ty + i % 4 + i / 4 * 64;
        [[unroll]] for (uint j = 0; j < 8; ++j) {
            uint col = col0 + 4 * tx + j % 4 + j / 4 * 64;
            if (row < m && col < n) {
                uint at = gl_WorkGroupID.z * stride_c + row * pitch_c + col;
                float more = add ? d[at] : 0;
                c[at] = more + factor * sum[i][j / 4][j % 4];
            }
        }
    }
}
