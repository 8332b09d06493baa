// prelude: llm_exact/exact.glsl
// y = x + a. Mirrors llm_exact_add.cu.
//   x, a, y  n floats
//   grid     any number of workgroups of 256 invocations, which stride over the elements
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer A { float a[]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * LANES;
    for (uint at = gl_GlobalInvocationID.x; at < n; at += stride) {
        precise float sum = x[at] + a[at];
        y[at] = sum;
    }
}
