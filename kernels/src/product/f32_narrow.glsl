#version 450
#extension GL_KHR_shader_subgroup_ballot : require
// C = A B^T in f32 with k ascending, as f32.glsl, for devices that are processors: 32 x 64 elements of C per workgroup,
// which is one subgroup of eight lanes. Loads are what costs there, from shared memory as much as from buffers, so each
// row of A is read by one lane and broadcast to the others.
//   a      m * k floats, row-major
//   b      n * k floats, row-major
//   c      m * n floats, row-major
//   grid   (n / 64, m / 32) workgroups, rounded up; rows and columns outside repeat the last one and are not stored
layout(local_size_x = 8) in;
layout(push_constant) uniform Sizes { uint m, n, k; };
layout(std430, binding = 0) readonly buffer A { float a_buffer[]; };
layout(std430, binding = 1) readonly buffer B { float b_buffer[]; };
layout(std430, binding = 2) writeonly buffer C { float c[]; };

#define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define FOUR(DO) DO(0) DO(1) DO(2) DO(3)

#define CLEAR(f) CLEAR_ROWS(8 * f) CLEAR_ROWS(8 * f + 1) CLEAR_ROWS(8 * f + 2) CLEAR_ROWS(8 * f + 3) \
    CLEAR_ROWS(8 * f + 4) CLEAR_ROWS(8 * f + 5) CLEAR_ROWS(8 * f + 6) CLEAR_ROWS(8 * f + 7)
#define CLEAR_ROWS(i) sum[i] = float[8](0, 0, 0, 0, 0, 0, 0, 0);
#define PLACE_A(f) a_at[f] = min(row0 + lane + 8 * f, m - 1) * k;
#define PLACE_B(j) b_at[j] = min(col0 + 8 * j, n - 1) * k;
#define READ_B(j) b[j] = b_buffer[b_at[j] + q];
#define TAKE_ROWS(f) { \
    float mine = a_buffer[a_at[f] + q]; \
    TAKE(f, 0) TAKE(f, 1) TAKE(f, 2) TAKE(f, 3) TAKE(f, 4) TAKE(f, 5) TAKE(f, 6) TAKE(f, 7) \
}
#define TAKE(f, i) { \
    float a = subgroupBroadcast(mine, i); \
    ADD(8 * f + i, 0) ADD(8 * f + i, 1) ADD(8 * f + i, 2) ADD(8 * f + i, 3) \
    ADD(8 * f + i, 4) ADD(8 * f + i, 5) ADD(8 * f + i, 6) ADD(8 * f + i, 7) \
}
#define ADD(i, j) sum[i][j] += a * b[j];

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint row0 = gl_WorkGroupID.y * 32;
    uint col0 = gl_WorkGroupID.x * 64 + lane;
    float sum[32][8];
    FOUR(CLEAR)
    uint a_at[4];
    uint b_at[8];
    FOUR(PLACE_A)
    EIGHT(PLACE_B)
    for (uint q = 0; q < k; ++q) {
        float b[8];
        EIGHT(READ_B)
        FOUR(TAKE_ROWS)
    }
    for (uint i = 0; i < 32; ++i) {
        for (uint j = 0; j < 8; ++j) {
            if (row0 + i < m && col0 + 8 * j < n) {
                c[(row0 + i) * n + col0 + 8 * j] = sum[i][j];
            }
        }
    }
}
