// prelude: half/half.glsl
// y = a / (1 + exp(-a)) * b, f16 in and out, f32 between. Mirrors swiglu_f16.cu; reference.rs is the authority.
//   a, b, y  n halves in buffers of whole uvec4s; what follows element n-1 is computed along
//   grid     any number of workgroups: invocations stride over the buffers
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) readonly buffer A { uvec4 a[]; };
layout(std430, binding = 1) readonly buffer B { uvec4 b[]; };
layout(std430, binding = 2) writeonly buffer Y { uvec4 y[]; };

uint swiglu_pair(uint a_pair, uint b_pair) {
    vec2 v = unpackHalf2x16(a_pair);
    return narrow2(v / (1 + exp(-v)) * unpackHalf2x16(b_pair));
}

void main() {
    uint vectors = n / 8 + uint(n % 8 != 0);
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < vectors; i += stride) {
        uvec4 v = a[i], u = b[i];
        y[i] = uvec4(swiglu_pair(v.x, u.x), swiglu_pair(v.y, u.y), swiglu_pair(v.z, u.z), swiglu_pair(v.w, u.w));
    }
}
