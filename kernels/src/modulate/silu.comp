// prelude: half/half.glsl
// y = x / (1 + exp(-x)), f16 in and out, f32 between. Mirrors silu.cu.
//   x, y  n halves, 16-byte vectors: 8 divides n
//   grid  any number of workgroups: invocations stride over the vectors
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 1) writeonly buffer Y { uvec4 y[]; };

uint silu_pair(uint pair) {
    vec2 v = unpackHalf2x16(pair);
    return narrow2(v / (1 + exp(-v)));
}

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < n / 8; i += stride) {
        uvec4 v = x[i];
        y[i] = uvec4(silu_pair(v.x), silu_pair(v.y), silu_pair(v.z), silu_pair(v.w));
    }
}
