// prelude: half/half.glsl
// Halves to signed bytes in blocks of 32 with a scale each: the half nearest to the largest |x| / 127, and the integers
// nearest to x / scale, ties to even. Mirrors quantize.cu; quantize.rs is the authority.
//   x       32 * blocks halves
//   y       32 * blocks bytes
//   scales  blocks halves, two to a word
//   grid    any number of workgroups: invocations stride over blocks
layout(local_size_x = 64) in;
layout(push_constant) uniform Sizes { uint blocks; };
layout(std430, binding = 0) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 1) writeonly buffer Y { uvec4 y[]; };
layout(std430, binding = 2) buffer Scales { uint scales[]; };

float largest(float most, uint pair) {
    vec2 v = abs(unpackHalf2x16(pair));
    return max(most, max(v.x, v.y));
}

// The integer nearest to x / scale, from one that is next to it at most. Products and differences are exact: a scale has
// eleven bits and the integer seven.
uint nearest(float x, float scale, float inverse) {
    int q = int(roundEven(x * inverse));
    float twice = 2.0 * (x - float(q) * scale);
    if (twice > scale || (twice == scale && (q & 1) != 0)) {
        ++q;
    }
    if (-twice > scale || (-twice == scale && (q & 1) != 0)) {
        --q;
    }
    return uint(clamp(q, -127, 127)) & 255u;
}

uint four(uint low, uint high, float scale, float inverse) {
    vec2 a = unpackHalf2x16(low), b = unpackHalf2x16(high);
    return nearest(a.x, scale, inverse) | nearest(a.y, scale, inverse) << 8 | nearest(b.x, scale, inverse) << 16 |
           nearest(b.y, scale, inverse) << 24;
}

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint block = gl_GlobalInvocationID.x; block < blocks; block += stride) {
        uvec4 v[4];
        float most = 0;
        [[unroll]] for (uint i = 0; i < 4; ++i) {
            v[i] = x[4 * block + i];
            most = largest(largest(largest(largest(most, v[i].x), v[i].y), v[i].z), v[i].w);
        }
        uint bits = narrow(most * (1.0 / 127.0));
        float scale = unpackHalf2x16(bits).x, inverse = bits == 0u ? 0.0 : 1.0 / scale;
        STORE_HALF(scales, block, bits)
        [[unroll]] for (uint i = 0; i < 4; i += 2) {
            uvec4 low = v[i], high = v[i + 1];
            uvec4 bytes = uvec4(four(low.x, low.y, scale, inverse), four(low.z, low.w, scale, inverse),
                                four(high.x, high.y, scale, inverse), four(high.z, high.w, scale, inverse));
            y[2 * block + i / 2] = bits == 0u ? uvec4(0) : bytes;
        }
    }
}
