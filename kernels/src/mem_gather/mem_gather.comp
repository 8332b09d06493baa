// Entry r of y is entry indices[r] of the table. Mirrors mem_gather.cu; reference.rs is the authority.
//   table, y  entries of 32 bytes: two neighbouring invocations copy one
//   indices   halves / 2 words
//   halves    entries of y, times two
//   grid      any number of workgroups: invocations stride over the halves
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint halves; };
layout(std430, binding = 0) readonly buffer Table { uvec4 table[]; };
layout(std430, binding = 1) readonly buffer Indices { uint indices[]; };
layout(std430, binding = 2) writeonly buffer Y { uvec4 y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < halves; i += stride) {
        y[i] = table[2 * indices[i / 2] + i % 2];
    }
}
