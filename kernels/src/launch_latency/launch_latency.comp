// y = x + 1. Mirrors launch_latency.cu; reference.rs is the authority.
//   x, y   one number each, or the same one
//   grid   one invocation
#version 450
layout(local_size_x = 1) in;
layout(std430, binding = 0) readonly buffer X { int x[]; };
layout(std430, binding = 1) buffer Y { int y[]; };

void main() {
    y[0] = x[0] + 1;
}
