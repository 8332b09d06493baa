// y = b + 0.5 c, product and sum each rounded. Mirrors mem_triad.cu; reference.rs is the authority.
//   b, c, y   n floats in buffers of whole vec4s; what follows element n-1 is computed along
//   grid      any number of workgroups: invocations stride over the buffers
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) readonly buffer B { vec4 b[]; };
layout(std430, binding = 1) readonly buffer C { vec4 c[]; };
layout(std430, binding = 2) writeonly buffer Y { vec4 y[]; };

void main() {
    uint quads = n / 4 + uint(n % 4 != 0);
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < quads; i += stride) {
        precise vec4 sum = b[i] + 0.5 * c[i];
        y[i] = sum;
    }
}
