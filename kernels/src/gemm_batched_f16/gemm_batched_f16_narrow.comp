// prelude: half/half.glsl
// C = A B^T for each of `batch` pairs of matrices in f16 with f32 sums and k ascending, as gemm_batched_f16.comp, for devices
// that are processors: 32 x 64 elements of C per workgroup, as gemm_f16_narrow.comp.
//   a      batch matrices of m * k halves, row-major, one after the other, two to a word
//   b      batch matrices of n * k halves
//   c      batch matrices of m * n halves; with an odd n, rows share words and their halves are written by atomics
//   grid   (n / 64, m / 32) workgroups, rounded up, by at most batch, with 8 KiB of shared memory; rows and columns outside
//          repeat the last one and are not stored
#extension GL_KHR_shader_subgroup_ballot : require
layout(local_size_x = 8) in;
layout(push_constant) uniform Sizes { uint m, n, k, batch; };
layout(std430, binding = 0) readonly buffer A { uint a_buffer[]; };
layout(std430, binding = 1) readonly buffer B { uint b_buffer[]; };
layout(std430, binding = 2) buffer C { uint c[]; };

// Sums on their way out: each lane reads back its own, by an index that registers would not take.
shared float kept[32][8][8];

#define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define FOUR(DO) DO(0) DO(1) DO(2) DO(3)
// Neighbouring columns share a word of C, so a lane takes them in pairs.
#define COLUMN(j) (16 * (j / 2) + j % 2)

#define CLEAR(f) CLEAR_ROWS(8 * f) CLEAR_ROWS(8 * f + 1) CLEAR_ROWS(8 * f + 2) CLEAR_ROWS(8 * f + 3) \
    CLEAR_ROWS(8 * f + 4) CLEAR_ROWS(8 * f + 5) CLEAR_ROWS(8 * f + 6) CLEAR_ROWS(8 * f + 7)
#define CLEAR_ROWS(i) sum[i] = float[8](0, 0, 0, 0, 0, 0, 0, 0);
#define KEEP(f) KEEP_ROW(8 * f) KEEP_ROW(8 * f + 1) KEEP_ROW(8 * f + 2) KEEP_ROW(8 * f + 3) \
    KEEP_ROW(8 * f + 4) KEEP_ROW(8 * f + 5) KEEP_ROW(8 * f + 6) KEEP_ROW(8 * f + 7)
#define KEEP_ROW(i) KEEP_ONE(i, 0) KEEP_ONE(i, 1) KEEP_ONE(i, 2) KEEP_ONE(i, 3) \
    KEEP_ONE(i, 4) KEEP_ONE(i, 5) KEEP_ONE(i, 6) KEEP_ONE(i, 7)
#define KEEP_ONE(i, j) kept[i][j][lane] = sum[i][j];
#define PLACE_A(f) a_at[f] = (z * m + min(row0 + lane + 8 * f, m - 1)) * k;
#define PLACE_B(j) b_at[j] = (z * n + min(col0 + COLUMN(j), n - 1)) * k;
#define WORD(buffer, at) buffer[(at) / 2] >> (16 * ((at) % 2))
#define READ_A(f) a_word[f] = WORD(a_buffer, a_at[f] + q);
#define READ_B(j) b_word[j] = WORD(b_buffer, b_at[j] + q);
#define UNPACK_B(j) b[j] = unpackHalf2x16(b_word[j]).x; b_word[j] >>= 16;
#define TAKE_ROWS(f) { \
    float mine = unpackHalf2x16(a_word[f]).x; \
    a_word[f] >>= 16; \
    TAKE(f, 0) TAKE(f, 1) TAKE(f, 2) TAKE(f, 3) TAKE(f, 4) TAKE(f, 5) TAKE(f, 6) TAKE(f, 7) \
}
#define TAKE(f, i) { \
    float a = subgroupBroadcast(mine, i); \
    ADD(8 * f + i, 0) ADD(8 * f + i, 1) ADD(8 * f + i, 2) ADD(8 * f + i, 3) \
    ADD(8 * f + i, 4) ADD(8 * f + i, 5) ADD(8 * f + i, 6) ADD(8 * f + i, 7) \
}
#define ADD(i, j) sum[i][j] += a * b[j];

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
    uint lane = gl_SubgroupInvocationID;
    uint row0 = gl_WorkGroupID.y * 32;
    uint col0 = gl_WorkGroupID.x * 64 + 2 * lane;
    // Where rows begin on a word, each word read gives 2 steps.
    uint steps = k % 2 == 0 ? 2 : 1;
    for (uint z = gl_WorkGroupID.z; z < batch; z += gl_NumWorkGroups.z) {
        float sum[32][8];
        FOUR(CLEAR)
        uint a_at[4];
        uint b_at[8];
        FOUR(PLACE_A)
        EIGHT(PLACE_B)
        for (uint q = 0; q < k; q += steps) {
            uint a_word[4];
            uint b_word[8];
            FOUR(READ_A)
            EIGHT(READ_B)
            for (uint taken = 0; taken < steps; ++taken) {
                float b[8];
                EIGHT(UNPACK_B)
                FOUR(TAKE_ROWS)
            }
        }
        FOUR(KEEP)
        for (uint i = 0; i < 32; ++i) {
            for (uint j = 0; j < 8; j += 2) {
                store_pair(z, row0 + i, col0 + COLUMN(j), kept[i][j][lane], kept[i][j + 1][lane]);
            }
        }
    }
}
