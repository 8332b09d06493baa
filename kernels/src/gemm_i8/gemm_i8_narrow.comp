// C = A B^T of i8 with i32 sums, as gemm_i8.comp, for devices that are processors: 32 x 64 elements of C per
// workgroup, which is one subgroup of eight lanes. Loads are what costs there, from shared memory as much as from
// buffers, so each word of A is read by one lane and broadcast to the others.
//   a      m * k bytes, row-major, four to a word
//   b      n * k bytes, row-major
//   c      m * n words, row-major
//   grid   (n / 64, m / 32) workgroups, rounded up; rows and columns outside repeat the last one and are not stored
#version 450
#extension GL_KHR_shader_subgroup_ballot : require
layout(local_size_x = 8) in;
layout(push_constant) uniform Sizes { uint m, n, k; };
layout(std430, binding = 0) readonly buffer A { uint a_buffer[]; };
layout(std430, binding = 1) readonly buffer B { uint b_buffer[]; };
layout(std430, binding = 2) writeonly buffer C { int c[]; };

#define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define FOUR(DO) DO(0) DO(1) DO(2) DO(3)

#define CLEAR(f) CLEAR_ROWS(8 * f) CLEAR_ROWS(8 * f + 1) CLEAR_ROWS(8 * f + 2) CLEAR_ROWS(8 * f + 3) \
    CLEAR_ROWS(8 * f + 4) CLEAR_ROWS(8 * f + 5) CLEAR_ROWS(8 * f + 6) CLEAR_ROWS(8 * f + 7)
#define CLEAR_ROWS(i) sum[i] = int[8](0, 0, 0, 0, 0, 0, 0, 0);
#define PLACE_A(f) a_at[f] = min(row0 + lane + 8 * f, m - 1) * k;
#define PLACE_B(j) b_at[j] = min(col0 + 8 * j, n - 1) * k;
#define WORD(buffer, at) buffer[(at) / 4] >> (8 * ((at) % 4))
#define READ_A(f) a_word[f] = (WORD(a_buffer, a_at[f] + q)) & taken;
#define READ_B(j) b_word[j] = WORD(b_buffer, b_at[j] + q);
#define UNPACK_B(j) b[j] = bytes_of(b_word[j]);
#define TAKE_ROWS(f) \
    TAKE(f, 0) TAKE(f, 1) TAKE(f, 2) TAKE(f, 3) TAKE(f, 4) TAKE(f, 5) TAKE(f, 6) TAKE(f, 7)
#define TAKE(f, i) { \
    ivec4 a = bytes_of(subgroupBroadcast(a_word[f], i)); \
    ADD(8 * f + i, 0) ADD(8 * f + i, 1) ADD(8 * f + i, 2) ADD(8 * f + i, 3) \
    ADD(8 * f + i, 4) ADD(8 * f + i, 5) ADD(8 * f + i, 6) ADD(8 * f + i, 7) \
}
// Sums lie in memory: each is read and written once for four products.
#define ADD(i, j) sum[i][j] += a.x * b[j].x + a.y * b[j].y + a.z * b[j].z + a.w * b[j].w;

ivec4 bytes_of(uint word) {
    int bits = int(word);
    return ivec4(bits << 24, bits << 16, bits << 8, bits) >> 24;
}

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint row0 = gl_WorkGroupID.y * 32;
    uint col0 = gl_WorkGroupID.x * 64 + lane;
    int sum[32][8];
    FOUR(CLEAR)
    uint a_at[4];
    uint b_at[8];
    FOUR(PLACE_A)
    EIGHT(PLACE_B)
    // Where rows begin on a word, each word read gives 4 steps; elsewhere one, and A's other bytes count as zero.
    uint steps = k % 4 == 0 ? 4 : 1;
    uint taken = k % 4 == 0 ? ~0u : 0xFFu;
    for (uint q = 0; q < k; q += steps) {
        uint a_word[4];
        uint b_word[8];
        FOUR(READ_A)
        EIGHT(READ_B)
        ivec4 b[8];
        EIGHT(UNPACK_B)
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
