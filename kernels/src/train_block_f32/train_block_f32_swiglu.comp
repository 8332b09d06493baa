// y = g / (1 + exp(-g)) * u. Mirrors train_block_f32_swiglu.cu.
//   g, u, y   n floats
//   grid      any number of workgroups: invocations stride over the elements
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) readonly buffer G { float g[]; };
layout(std430, binding = 1) readonly buffer U { float u[]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < n; i += stride) {
        y[i] = g[i] / (1 + exp(-g[i])) * u[i];
    }
}
