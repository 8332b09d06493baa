// prelude: half/half.glsl
// Sums of products to halves. Mirrors narrow_f32.cu; narrow.rs is the authority.
//   x     n floats, a multiple of four
//   y     n halves
//   grid  any number of workgroups: invocations stride over vectors of four
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n; };
layout(std430, binding = 0) readonly buffer X { vec4 x[]; };
layout(std430, binding = 1) writeonly buffer Y { uvec2 y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < n / 4; i += stride) {
        vec4 v = x[i];
        y[i] = uvec2(narrow2(v.xy), narrow2(v.zw));
    }
}
