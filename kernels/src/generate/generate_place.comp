#version 450
// Goes on to a position, or begins at one. Mirrors generate_place.cu, which tells of the buffers; generate/steps.rs is the
// authority.
//   grid  one workgroup
layout(local_size_x = 128) in;
layout(push_constant) uniform Sizes { uint begin, width, rows; };
layout(std430, binding = 0) readonly buffer Table { float table[]; };
layout(std430, binding = 1) buffer Position { uint position[]; };
layout(std430, binding = 2) writeonly buffer Turns { float turns[]; };

void main() {
    uint at = begin > 0 ? begin - 1 : position[0] + 1;
    barrier();  // every invocation has read the position before it changes
    uint row = min(at, rows - 1);
    for (uint i = gl_LocalInvocationID.x; i < width; i += gl_WorkGroupSize.x) {
        turns[i] = table[row * width + i];
    }
    if (gl_LocalInvocationID.x == 0) {
        position[0] = at;
    }
}
