// prelude: half/sum.glsl
// y = (x - mean) / sqrt(mean((x - mean)^2) + 1e-5) * w + b by groups in f16 with f32 inside, from the sums of parts that
// groupnorm_f16_parts.comp leaves. Mirrors groupnorm_f16.cu; reference.rs is the authority.
//   x, y   blocks / parts groups of gchannels * pixels halves, two to a word
//   w, b   groups * gchannels halves
//   sums   of each part, the sum and the squares around its mean
//   blocks parts of all groups; parts of each group, 8192 elements each, of which the last may have fewer
//   share  1 / the elements of a group
//   last   1 / the elements of a group's last part
//   grid   any number of workgroups of 256 invocations, 1 KiB of shared memory: workgroups stride over the parts
// Where channels share words, halves are written by atomics.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint blocks, parts, groups, gchannels, pixels; float share, last; };
layout(std430, binding = 0) readonly buffer X4 { uvec4 x4[]; };
layout(std430, binding = 0) readonly buffer X1 { uint x1[]; };
layout(std430, binding = 1) readonly buffer W { uint w[]; };
layout(std430, binding = 2) readonly buffer B { uint b[]; };
layout(std430, binding = 3) readonly buffer Sums { vec2 sums[]; };
layout(std430, binding = 4) buffer Y4 { uvec4 y4[]; };
layout(std430, binding = 4) buffer Y1 { uint y1[]; };

const uint PART = 8192;
const float EPSILON = 1e-5;

float mean_of(uint row) {
    float sum = 0;
    for (uint i = gl_LocalInvocationIndex; i < parts; i += LANES) {
        sum += sums[row * parts + i].x;
    }
    // As the parts' means, not fused: that of a group of one part is the group's.
    precise float mean = tree_sum(sum) * share;
    return mean;
}

float scale_of(uint row, float mean) {
    float squares = 0;
    for (uint i = gl_LocalInvocationIndex; i < parts; i += LANES) {
        bool whole = i + 1 < parts;
        vec2 part = sums[row * parts + i];
        precise float mean_of_part = part.x * (whole ? 1.0 / PART : last);
        float apart = mean_of_part - mean;
        float count = float(whole ? PART : gchannels * pixels - i * PART);
        squares += part.y + count * apart * apart;
    }
    return 1 / sqrt(tree_sum(squares) * share + EPSILON);
}

uint normal_pair(uint x, float mean, float scale, float weight, float bias) {
    return narrow2((unpackHalf2x16(x) - mean) * scale * weight + bias);
}

void main() {
    uint lane = gl_LocalInvocationIndex;
    uint cols = gchannels * pixels;
    for (uint block = gl_WorkGroupID.x; block < blocks; block += gl_NumWorkGroups.x) {
        uint row = block / parts, start = block % parts * PART;
        float mean = mean_of(row);
        float scale = scale_of(row, mean);
        uint count = min(cols - start, PART);
        uint first = row * cols + start;
        uint channels = row % groups * gchannels;
        bool wide = pixels % 8 == 0;
        for (uint i = lane; i < (wide ? count / 8 : count); i += LANES) {
            uint channel = channels + (start + (wide ? 8 * i : i)) / pixels;
            float weight = half_at(w[channel / 2], channel), bias = half_at(b[channel / 2], channel);
            if (wide) {
                uvec4 v = x4[first / 8 + i];
                y4[first / 8 + i] =
                    uvec4(normal_pair(v.x, mean, scale, weight, bias), normal_pair(v.y, mean, scale, weight, bias),
                          normal_pair(v.z, mean, scale, weight, bias), normal_pair(v.w, mean, scale, weight, bias));
            } else {
                float rest = half_at(x1[(first + i) / 2], first + i) - mean;
                STORE_HALF(y1, first + i, narrow(rest * scale * weight + bias))
            }
        }
    }
}
