// Row t of y is row ids[t] of the table. Mirrors embedding_gather_f16.cu; reference.rs is the authority.
//   table  rows of cols halves, two to a word; read and written 16 bytes at a time where 8 divides cols
//   ids    tokens words
//   y      tokens * cols halves
//   grid   any number of workgroups: invocations stride over the vectors
// Where 8 does not divide cols, an invocation writes both halves of its words, which two rows may share.
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint tokens, cols; };
layout(std430, binding = 0) readonly buffer Table4 { uvec4 table4[]; };
layout(std430, binding = 0) readonly buffer Table1 { uint table1[]; };
layout(std430, binding = 1) readonly buffer Ids { uint ids[]; };
layout(std430, binding = 2) writeonly buffer Y4 { uvec4 y4[]; };
layout(std430, binding = 2) writeonly buffer Y1 { uint y1[]; };

uint half_bits(uint i) {
    uint from = ids[i / cols] * cols + i % cols;
    return table1[from / 2] >> 16 * (from % 2) & 0xFFFFu;
}

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    if (cols % 8 == 0) {
        uint row = cols / 8;
        for (uint i = gl_GlobalInvocationID.x; i < tokens * row; i += stride) {
            y4[i] = table4[ids[i / row] * row + i % row];
        }
        return;
    }
    uint halves = tokens * cols;
    for (uint i = 2 * gl_GlobalInvocationID.x; i < halves; i += 2 * stride) {
        uint second = i + 1 < halves ? half_bits(i + 1) : 0;
        y1[i / 2] = half_bits(i) | second << 16;
    }
}
