// prelude: half/sum.glsl
// Of each part of 8192 elements of each group: their sum, and the sum of squares around their mean. Mirrors
// groupnorm_f16_parts.cu.
//   x      blocks / parts groups of cols halves, two to a word
//   sums   two floats a part
//   blocks parts of all groups; parts of each group, of which the last may be shorter
//   last   1 / the elements of a group's last part
//   grid   any number of workgroups of 256 invocations, 1 KiB of shared memory: workgroups stride over the parts
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint blocks, parts, cols; float last; };
layout(std430, binding = 0) readonly buffer X4 { uvec4 x4[]; };
layout(std430, binding = 0) readonly buffer X1 { uint x1[]; };
layout(std430, binding = 1) writeonly buffer Sums { vec2 sums[]; };

const uint PART = 8192;

float sum_of_pair(uint x) {
    vec2 v = unpackHalf2x16(x);
    return v.x + v.y;
}

float squares_of_pair(uint x, float mean) {
    vec2 v = unpackHalf2x16(x) - mean;
    return v.x * v.x + v.y * v.y;
}

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint block = gl_WorkGroupID.x; block < blocks; block += gl_NumWorkGroups.x) {
        uint part = block % parts, start = part * PART;
        uint count = min(cols - start, PART);
        uint first = block / parts * cols + start;
        uint vectors = cols % 8 == 0 ? count / 8 : 0;

        float mine = 0;
        for (uint i = lane; i < vectors; i += LANES) {
            uvec4 v = x4[first / 8 + i];
            mine += (sum_of_pair(v.x) + sum_of_pair(v.y)) + (sum_of_pair(v.z) + sum_of_pair(v.w));
        }
        for (uint i = 8 * vectors + lane; i < count; i += LANES) {
            mine += half_at(x1[(first + i) / 2], first + i);
        }
        float sum = tree_sum(mine);
        // Not fused with the differences below: a group of one element has exactly its mean.
        precise float mean = sum * (part + 1 < parts ? 1.0 / PART : last);

        float squares = 0;
        for (uint i = lane; i < vectors; i += LANES) {
            uvec4 v = x4[first / 8 + i];
            squares += (squares_of_pair(v.x, mean) + squares_of_pair(v.y, mean)) +
                       (squares_of_pair(v.z, mean) + squares_of_pair(v.w, mean));
        }
        for (uint i = 8 * vectors + lane; i < count; i += LANES) {
            float rest = half_at(x1[(first + i) / 2], first + i) - mean;
            squares += rest * rest;
        }
        float around = tree_sum(squares);
        if (lane == 0) {
            sums[block] = vec2(sum, around);
        }
    }
}
