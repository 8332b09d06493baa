#version 450
// Keys and values of a new token into the cache, at the position. Mirrors generate_append.cu, which tells of the buffers;
// generate/steps.rs is the authority.
//   grid  any number of workgroups: invocations stride over the vectors
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint layers, keys, stride, room; };
layout(std430, binding = 0) readonly buffer K { uvec4 k[]; };
layout(std430, binding = 1) readonly buffer V { uvec4 v[]; };
layout(std430, binding = 2) readonly buffer Position { uint position[]; };
layout(std430, binding = 3) writeonly buffer Kcache { uvec4 kcache[]; };
layout(std430, binding = 4) writeonly buffer Vcache { uvec4 vcache[]; };

void main() {
    uint at = position[0];
    if (at >= room) {
        return;
    }
    uint threads = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < layers * keys; i += threads) {
        uint layer = i / keys, vector = i % keys, from = layer * stride + vector;
        uint to = (layer * room + at) * keys + vector;
        kcache[to] = k[from];
        vcache[to] = v[from];
    }
}
