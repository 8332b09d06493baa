// prelude: llm_exact/exact.glsl
// gate = silu(gate) * up, in place. Mirrors llm_exact_gate.cu.
//   gate, up  n floats
//   grid      any number of workgroups of 256 invocations, which stride over the elements
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) buffer G { float gate[]; };
layout(std430, binding = 1) readonly buffer U { float up[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * LANES;
    for (uint at = gl_GlobalInvocationID.x; at < n; at += stride) {
        precise float value = silu(gate[at]) * trim(up[at]);
        gate[at] = trim(value);
    }
}
