// One step of AdamW; the constants are those of mod.rs. Mirrors adamw_f32.cu; reference.rs is the authority.
//   p, g, m, v             n floats in buffers of whole vec4s; what follows element n-1 is computed along
//   new_p, new_m, new_v    n floats likewise
//   rate, root             lr / (1 - beta1^t) and 1 / sqrt(1 - beta2^t)
//   grid                   any number of workgroups: invocations stride over the buffers
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Step { uint n; float rate, root; };
layout(std430, binding = 0) readonly buffer P { vec4 p[]; };
layout(std430, binding = 1) readonly buffer G { vec4 g[]; };
layout(std430, binding = 2) readonly buffer M { vec4 m[]; };
layout(std430, binding = 3) readonly buffer V { vec4 v[]; };
layout(std430, binding = 4) writeonly buffer NewP { vec4 new_p[]; };
layout(std430, binding = 5) writeonly buffer NewM { vec4 new_m[]; };
layout(std430, binding = 6) writeonly buffer NewV { vec4 new_v[]; };

void main() {
    uint quads = n / 4 + uint(n % 4 != 0);
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < quads; i += stride) {
        vec4 grad = g[i];
        vec4 mean = m[i] + 0.1 * (grad - m[i]);
        vec4 square = 0.95 * v[i] + 0.05 * (grad * grad);
        new_m[i] = mean;
        new_v[i] = square;
        new_p[i] = 0.9999 * p[i] - rate * (mean / (sqrt(square) * root + 1e-8));
    }
}
