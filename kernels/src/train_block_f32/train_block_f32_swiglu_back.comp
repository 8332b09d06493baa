// What y = silu(g) * u passes back to g and u, in place. Mirrors train_block_f32_swiglu_back.cu.
//   dy, g, u   n floats; g and u become their gradients
//   grid       any number of workgroups: invocations stride over the elements
// With s = 1 / (1 + exp(-g)): dg = dy u s (1 + g (1 - s)), du = dy g s.
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) readonly buffer Dy { float dy[]; };
layout(std430, binding = 1) buffer G { float g[]; };
layout(std430, binding = 2) buffer U { float u[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < n; i += stride) {
        float gate = g[i], s = 1 / (1 + exp(-gate));
        g[i] = dy[i] * u[i] * (s * (1 + gate * (1 - s)));
        u[i] = dy[i] * (gate * s);
    }
}
