// Moves heads between rows of tokens and matrices of their own, turning each pair of a head by its angle or leaving it.
// Mirrors train_block_f32_turn.cu.
//   from, to   tokens * heads * width floats: by tokens, then heads, or by heads, then tokens
//   table      tokens * width floats, cosine and sine of each pair's angle
//   width      of a head, even
//   flags      bit 0: from heads to tokens, and turned backwards; bit 1: turn
//   grid       any number of workgroups: invocations stride over the pairs
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint tokens, heads, width, flags; };
layout(std430, binding = 0) readonly buffer From { vec2 from[]; };
layout(std430, binding = 1) readonly buffer Table { vec2 table[]; };
layout(std430, binding = 2) writeonly buffer To { vec2 to[]; };

void main() {
    uint half_width = width / 2;
    uint pairs = tokens * heads * half_width;
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    bool back = (flags & 1u) != 0, turned = (flags & 2u) != 0;
    for (uint i = gl_GlobalInvocationID.x; i < pairs; i += stride) {
        uint pair = i % half_width;
        uint head = i / half_width % heads;
        uint token = i / half_width / heads;
        uint by_head = (head * tokens + token) * half_width + pair;
        vec2 angle = turned ? table[token * half_width + pair] : vec2(1, 0);
        angle.y = back ? -angle.y : angle.y;
        vec2 x = from[back ? by_head : i];
        to[back ? i : by_head] = vec2(x.x * angle.x - x.y * angle.y, x.x * angle.y + x.y * angle.x);
    }
}
