// Lanes of an int8 network carried through steps `begin` to `end`, as proof_mlp_i8.comp, for devices that are processors: 32
// lanes per workgroup, which is one subgroup of eight invocations. Loads are what costs there, from shared memory as much
// as from buffers, so each word of a lane is read by one invocation and broadcast to the others.
//   weights  layers * (width / 4) * width words: word (l, k, j) holds W_l[j][4 k .. 4 k + 3], zero outside of n * n
//   state    m * n bytes, row-major: X_begin, and after the launch X_end
//   x        2 * (width / 4) * 32 words for each workgroup
//   n        a multiple of 16; width is n rounded up to 64, at most 1024
//   grid     m / 32 workgroups, rounded up
#version 450
#extension GL_KHR_shader_subgroup_ballot : require
layout(local_size_x = 8) in;
layout(push_constant) uniform Sizes { uint m, n, width, layers, begin, end; };
layout(std430, binding = 0) readonly buffer Weights { uint weights[]; };
layout(std430, binding = 1) buffer State { uint state[]; };
layout(std430, binding = 2) coherent buffer Lanes { uint x[]; };

#define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define FOUR(DO) DO(0) DO(1) DO(2) DO(3)

#define CLEAR(f) CLEAR_ROWS(8 * f) CLEAR_ROWS(8 * f + 1) CLEAR_ROWS(8 * f + 2) CLEAR_ROWS(8 * f + 3) \
    CLEAR_ROWS(8 * f + 4) CLEAR_ROWS(8 * f + 5) CLEAR_ROWS(8 * f + 6) CLEAR_ROWS(8 * f + 7)
#define CLEAR_ROWS(i) sum[i] = int[8](0, 0, 0, 0, 0, 0, 0, 0);
#define READ_A(f) a_word[f] = x[now + 32 * k + 8 * f + own];
#define READ_B(j) b_word[j] = weights[w + j];
#define UNPACK_B(j) b[j] = int(b_word[j] << 24) >> 24; b_word[j] >>= 8;
#define TAKE_ROWS(f) { \
    int mine = int(a_word[f] << 24) >> 24; \
    a_word[f] >>= 8; \
    TAKE(f, 0) TAKE(f, 1) TAKE(f, 2) TAKE(f, 3) TAKE(f, 4) TAKE(f, 5) TAKE(f, 6) TAKE(f, 7) \
}
#define TAKE(f, i) { \
    int a = subgroupBroadcast(mine, i); \
    ADD(8 * f + i, 0) ADD(8 * f + i, 1) ADD(8 * f + i, 2) ADD(8 * f + i, 3) \
    ADD(8 * f + i, 4) ADD(8 * f + i, 5) ADD(8 * f + i, 6) ADD(8 * f + i, 7) \
}
#define ADD(i, j) sum[i][j] += a * b[j];

// Four sums, mixed, as four bytes.
uint mixed(int a, int b, int c, int d) {
    uvec4 top = uvec4(a, b, c, d) * 0x9E3779B1u >> 24;
    return top.x | top.y << 8 | top.z << 16 | top.w << 24;
}

void main() {
    uint own = gl_SubgroupInvocationID;
    uint quarter = width / 4, words = n / 4;
    uint first = gl_WorkGroupID.x * 32;
    // The two halves of this workgroup's words, word (k, i) of lane i at 32 * k + i.
    uint now = gl_WorkGroupID.x * 64 * quarter, next = now + 32 * quarter;
    for (uint item = own; item < 32 * quarter; item += 8) {
        uint k = item % quarter, lane = item / quarter;
        x[now + 32 * k + lane] = first + lane < m && k < words ? state[(first + lane) * words + k] : 0;
    }
    memoryBarrierBuffer();
    barrier();

    for (uint at = begin; at < end; ++at) {
        // Eight neighbouring columns for each invocation.
        for (uint left = 8 * own; left < width; left += 64) {
            int sum[32][8];
            FOUR(CLEAR)
            uint w = at % layers * quarter * width + left;
            for (uint k = 0; k < quarter; ++k, w += width) {
                uint a_word[4];
                uint b_word[8];
                FOUR(READ_A)
                EIGHT(READ_B)
                for (uint taken = 0; taken < 4; ++taken) {
                    int b[8];
                    EIGHT(UNPACK_B)
                    FOUR(TAKE_ROWS)
                }
            }
            for (uint i = 0; i < 32; ++i) {
                uint to = next + 32 * (left / 4) + i;
                x[to] = mixed(sum[i][0], sum[i][1], sum[i][2], sum[i][3]);
                x[to + 32] = mixed(sum[i][4], sum[i][5], sum[i][6], sum[i][7]);
            }
        }
        memoryBarrierBuffer();
        barrier();  // the next words are whole, and nobody reads these any more
        uint read = now;
        now = next;
        next = read;
    }

    for (uint item = own; item < 32 * words; item += 8) {
        uint k = item % words, lane = item / words;
        if (first + lane < m) {
            state[(first + lane) * words + k] = x[now + 32 * k + lane];
        }
    }
}
