// Register-only multiply-adds: what the device could do if nothing had to be loaded.
//   y      one float for each invocation, so that the work cannot be left out
//   rounds times that each of 12 independent chains takes 16 multiply-adds x = x * scale + shift
//   grid   any number of workgroups of 64 invocations
#version 450
#extension GL_EXT_control_flow_attributes : require
layout(local_size_x = 64) in;
layout(push_constant) uniform Sizes { uint rounds; float scale, shift; };
layout(std430, binding = 0) writeonly buffer Y { float y[]; };

void main() {
    float start = float(gl_GlobalInvocationID.x) * 1e-6;
    vec4 a = start + vec4(0, 1, 2, 3);
    vec4 b = a + 4;
    vec4 c = a + 8;
    for (uint i = 0; i < rounds; ++i) {
        [[unroll]] for (uint j = 0; j < 16; ++j) {
            a = a * scale + shift;
            b = b * scale + shift;
            c = c * scale + shift;
        }
    }
    y[gl_GlobalInvocationID.x] = dot(a + b + c, vec4(1));
}
