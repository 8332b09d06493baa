// Random streams of i8, Philox4x32-10 (Salmon et al., SC'11), as matrices with padding. Mirrors proof_mlp_i8_fill.cu.
//   keys     two words for each matrix
//   result   matrices one after the other, padded_rows * padded_words words each; word (r, c) holds elements 4 c .. 4 c + 3
//            of row r and lies at c * padded_rows + r where by_word is set, at r * padded_words + c otherwise
//   rows     rows of the stream's matrix, `words` words each, a multiple of 4 as padded_words is; what is beyond is zero
//   grid     any number of workgroups of 256 invocations, by the number of matrices
// Storage buffers are at most 4 GiB, so 32 bits count their words.
#version 450
#extension GL_EXT_control_flow_attributes : require
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, words, padded_rows, padded_words, by_word; };
layout(std430, binding = 0) readonly buffer Keys { uint keys[]; };
layout(std430, binding = 1) writeonly buffer Result { uint result[]; };

uvec4 philox(uint block, uint k0, uint k1) {
    uvec4 c = uvec4(block, 0, 0, 0);
    [[unroll]] for (uint i = 0; i < 10; ++i) {
        uint high0, low0, high2, low2;
        umulExtended(c.x, 0xD2511F53u, high0, low0);
        umulExtended(c.z, 0xCD9E8D57u, high2, low2);
        c = uvec4(high2 ^ c.y ^ k0, low2, high0 ^ c.w ^ k1, low0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

void main() {
    uint k0 = keys[2 * gl_WorkGroupID.y], k1 = keys[2 * gl_WorkGroupID.y + 1];
    uint quads = padded_words / 4;
    uint matrix = padded_rows * padded_words * gl_WorkGroupID.y;
    for (uint item = gl_GlobalInvocationID.x; item < padded_rows * quads; item += gl_NumWorkGroups.x * 256) {
        // Neighbouring invocations write neighbouring words in either layout.
        uint row = by_word != 0 ? item % padded_rows : item / quads;
        uint quad = by_word != 0 ? item / padded_rows : item % quads;
        uvec4 block = row < rows && quad < words / 4 ? philox(row * (words / 4) + quad, k0, k1) : uvec4(0);
        uint to = matrix + (by_word != 0 ? 4 * quad * padded_rows + row : 4 * item);
        uint apart = by_word != 0 ? padded_rows : 1;
        [[unroll]] for (uint i = 0; i < 4; ++i) {
            result[to + i * apart] = block[i];
        }
    }
}
