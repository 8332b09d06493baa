// y = x. Mirrors mem_copy.cu; reference.rs is the authority.
//   x, y   n floats in buffers of whole vec4s; what follows element n-1 is copied along
//   grid   any number of workgroups: invocations stride over the buffer
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) readonly buffer X { vec4 x[]; };
layout(std430, binding = 1) writeonly buffer Y { vec4 y[]; };

void main() {
    uint quads = n / 4 + uint(n % 4 != 0);
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < quads; i += stride) {
        y[i] = x[i];
    }
}
