// One step of an int8 network as of proof_mlp_i8.comp, for devices that are processors: 32 lanes and 64 columns per
// workgroup, which is one subgroup of eight invocations. Loads are what costs there, from shared memory as much as from
// buffers, so each word of a lane is read by one invocation and broadcast to the others.
//   weights  layers * (width / 4) * width words: word (l, k, j) holds W_l[j][4 k .. 4 k + 3], zero outside of n * n
//   source   (width / 4) * padded words: word (k, i) holds X[i][4 k .. 4 k + 3]
//   result   the next X: words as in source, or where `last` is set m * n bytes, row-major
//   n        a multiple of 16; width is n rounded up to 64, padded is m rounded up to 32
//   grid     (width / 64, padded / 32) workgroups
#version 450
#extension GL_KHR_shader_subgroup_ballot : require
layout(local_size_x = 8) in;
layout(push_constant) uniform Sizes { uint m, n, width, padded, layer, last; };
layout(std430, binding = 0) readonly buffer Weights { uint weights[]; };
layout(std430, binding = 1) readonly buffer Source { uint source[]; };
layout(std430, binding = 2) writeonly buffer Result { uint result[]; };

#define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define FOUR(DO) DO(0) DO(1) DO(2) DO(3)

#define CLEAR(f) CLEAR_ROWS(8 * f) CLEAR_ROWS(8 * f + 1) CLEAR_ROWS(8 * f + 2) CLEAR_ROWS(8 * f + 3) \
    CLEAR_ROWS(8 * f + 4) CLEAR_ROWS(8 * f + 5) CLEAR_ROWS(8 * f + 6) CLEAR_ROWS(8 * f + 7)
#define CLEAR_ROWS(i) sum[i] = int[8](0, 0, 0, 0, 0, 0, 0, 0);
#define READ_A(f) a_word[f] = source[x + 8 * f];
#define READ_B(j) b_word[j] = weights[w + j];
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

// Four sums, mixed, as four bytes.
uint mixed(int a, int b, int c, int d) {
    uvec4 top = uvec4(a, b, c, d) * 0x9E3779B1u >> 24;
    return top.x | top.y << 8 | top.z << 16 | top.w << 24;
}

void store(uint lane, uint word, uint value) {
    if (last == 0) {
        result[word * padded + lane] = value;
    } else if (lane < m && word < n / 4) {
        result[lane * (n / 4) + word] = value;
    }
}

void main() {
    uint own = gl_SubgroupInvocationID;
    uint row0 = gl_WorkGroupID.y * 32, left = gl_WorkGroupID.x * 64 + 8 * own;
    int sum[32][8];
    FOUR(CLEAR)
    uint x = row0 + own, w = layer * (width / 4) * width + left;
    for (uint k = 0; k < width / 4; ++k, x += padded, w += width) {
        uint a_word[4];
        uint b_word[8];
        FOUR(READ_A)
        EIGHT(READ_B)
        ivec4 b[8];
        EIGHT(UNPACK_B)
        FOUR(TAKE_ROWS)
    }
    for (uint i = 0; i < 32; ++i) {
        store(row0 + i, left / 4, mixed(sum[i][0], sum[i][1], sum[i][2], sum[i][3]));
        store(row0 + i, left / 4 + 1, mixed(sum[i][4], sum[i][5], sum[i][6], sum[i][7]));
    }
}
