// prelude: half/half.glsl
// Neighbouring halves (a, b) of each head turned to (a cos - b sin, a sin + b cos), f32 between. Mirrors rope_f16.cu;
// reference.rs is the authority.
//   x, y   tokens * heads * width halves, a pair to a word; read and written 16 bytes at a time where 8 divides width
//   turns  tokens * width floats: the cosine and the sine of each pair
//   width  even
//   grid   any number of workgroups: invocations stride over the vectors
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint tokens, heads, width; };
layout(std430, binding = 0) readonly buffer X4 { uvec4 x4[]; };
layout(std430, binding = 0) readonly buffer X1 { uint x1[]; };
layout(std430, binding = 1) readonly buffer Turns4 { vec4 turns4[]; };
layout(std430, binding = 1) readonly buffer Turns2 { vec2 turns2[]; };
layout(std430, binding = 2) writeonly buffer Y4 { uvec4 y4[]; };
layout(std430, binding = 2) writeonly buffer Y1 { uint y1[]; };

uint turned(uint pair, vec2 turn) {
    vec2 v = unpackHalf2x16(pair);
    return narrow2(vec2(v.x * turn.x - v.y * turn.y, v.x * turn.y + v.y * turn.x));
}

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    if (width % 8 == 0) {
        uint head = width / 8;
        uint token = heads * head;
        for (uint i = gl_GlobalInvocationID.x; i < tokens * token; i += stride) {
            uint at = 2 * (i / token * head + i % head);
            uvec4 v = x4[i];
            vec4 p = turns4[at], q = turns4[at + 1];
            y4[i] = uvec4(turned(v.x, p.xy), turned(v.y, p.zw), turned(v.z, q.xy), turned(v.w, q.zw));
        }
        return;
    }
    uint head = width / 2;
    uint token = heads * head;
    for (uint i = gl_GlobalInvocationID.x; i < tokens * token; i += stride) {
        y1[i] = turned(x1[i], turns2[i / token * head + i % head]);
    }
}
