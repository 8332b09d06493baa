// y = x / sqrt(mean(x^2) + 1e-5) * w in f16 with f32 inside, one workgroup per row. Mirrors rmsnorm_f16.cu;
// reference.rs is the authority.
//   x, y   rows * cols halves, row-major, two to a word
//   w      cols halves
//   cols   > 0, any
//   grid   any number of workgroups of 256 invocations, 1 KiB of shared memory: workgroups stride over the rows
// Lane t takes column pairs t, t + 256, ...; the 256 partials are added in a fixed tree, so the result does not depend
// on subgroups. With an odd cols, rows share words: their halves are written by atomics.
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols; };
layout(std430, binding = 0) readonly buffer X { uint x[]; };
layout(std430, binding = 1) readonly buffer W { uint w[]; };
layout(std430, binding = 2) buffer Y { uint y[]; };

const uint LANES = 256;
const float EPSILON = 1e-5;
shared float partial[LANES];

float total(uint lane, float mine) {
    partial[lane] = mine;
    barrier();
    for (uint half_width = LANES / 2; half_width > 0; half_width /= 2) {
        if (lane < half_width) {
            partial[lane] += partial[lane + half_width];
        }
        barrier();
    }
    float result = partial[0];
    barrier();  // every lane has read partial[0] before it is overwritten
    return result;
}

// Bits of the nearest half, ties to even: the conversion instruction may round otherwise.
uint narrow(float value) {
    uint bits = floatBitsToUint(value);
    uint sign = (bits >> 16) & 0x8000u;
    uint size = bits & 0x7FFFFFFFu;
    if (size > 0x7F800000u) {
        return sign | 0x7E00u;
    }
    if (size >= 0x477FF000u) {
        return sign | 0x7C00u;
    }
    if (size >= 0x38800000u) {
        return sign | ((size + 0xFFFu + ((size >> 13) & 1u) - 0x38000000u) >> 13);
    }
    if (size < 0x33000000u) {
        return sign;
    }
    uint shift = 126u - (size >> 23);
    uint mantissa = (size & 0x7FFFFFu) | 0x800000u;
    uint kept = mantissa >> shift;
    uint rest = mantissa & ((1u << shift) - 1u);
    uint tie = 1u << (shift - 1u);
    uint up = uint(rest > tie || (rest == tie && (kept & 1u) == 1u));
    return sign | (kept + up);
}

float half_at(uint word, uint index) {
    vec2 pair = unpackHalf2x16(word);
    return (index & 1u) == 0u ? pair.x : pair.y;
}

void store_half(uint index, uint bits) {
    uint shift = 16u * (index & 1u);
    atomicAnd(y[index / 2], ~(0xFFFFu << shift));
    atomicOr(y[index / 2], bits << shift);
}

void main() {
    uint lane = gl_LocalInvocationIndex;
    uint pairs = cols / 2 + cols % 2;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint first = row * cols;
        float sum = 0;
        for (uint pair = lane; pair < pairs; pair += LANES) {
            uint at = first + 2 * pair;
            float left = half_at(x[at / 2], at);
            float right = 2 * pair + 1 < cols ? half_at(x[(at + 1) / 2], at + 1) : 0;
            sum += left * left;
            sum += right * right;
        }
        float scale = 1 / sqrt(total(lane, sum) / float(cols) + EPSILON);
        for (uint pair = lane; pair < pairs; pair += LANES) {
            uint at = first + 2 * pair;
            vec2 weight = unpackHalf2x16(w[pair]);
            uint left = narrow(half_at(x[at / 2], at) * scale * weight.x);
            if (cols % 2 == 0) {
                uint right = narrow(half_at(x[at / 2], at + 1) * scale * weight.y);
                y[at / 2] = left | (right << 16);
                continue;
            }
            store_half(at, left);
            if (2 * pair + 1 < cols) {
                store_half(at + 1, narrow(half_at(x[(at + 1) / 2], at + 1) * scale * weight.y));
            }
        }
    }
}
