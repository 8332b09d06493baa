// prelude: half/half.glsl
// y = a + b, f16 in and out, the sum in f32. Mirrors residual.cu; residual.rs is the authority.
//   a, b, y  n halves in buffers of whole uvec4s; what follows element n-1 is computed along
//   grid     any number of workgroups: invocations stride over the buffers
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) readonly buffer A { uvec4 a[]; };
layout(std430, binding = 1) readonly buffer B { uvec4 b[]; };
layout(std430, binding = 2) writeonly buffer Y { uvec4 y[]; };

uint residual_pair(uint a_pair, uint b_pair) {
    return narrow2(unpackHalf2x16(a_pair) + unpackHalf2x16(b_pair));
}

void main() {
    uint vectors = n / 8 + uint(n % 8 != 0);
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < vectors; i += stride) {
        uvec4 v = a[i], u = b[i];
        y[i] = uvec4(residual_pair(v.x, u.x), residual_pair(v.y, u.y), residual_pair(v.z, u.z), residual_pair(v.w, u.w));
    }
}
