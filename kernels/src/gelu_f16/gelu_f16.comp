// prelude: half/half.glsl
// y = x / (1 + exp(-2u)) with 2u = x (2 sqrt(2/pi) + 2 sqrt(2/pi) 0.044715 x^2), f16 in and out, f32 between. Mirrors
// gelu_f16.cu; reference.rs is the authority.
//   x, y   n halves in buffers of whole uvec4s; what follows element n-1 is computed along
//   grid   any number of workgroups: invocations stride over the buffers
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 1) writeonly buffer Y { uvec4 y[]; };

uint gelu_pair(uint pair) {
    vec2 v = unpackHalf2x16(pair);
    vec2 twice_u = v * (1.5957691 + 0.071354814 * (v * v));
    return narrow2(v / (1 + exp(-twice_u)));
}

void main() {
    uint vectors = n / 8 + uint(n % 8 != 0);
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < vectors; i += stride) {
        uvec4 v = x[i];
        y[i] = uvec4(gelu_pair(v.x), gelu_pair(v.y), gelu_pair(v.z), gelu_pair(v.w));
    }
}
