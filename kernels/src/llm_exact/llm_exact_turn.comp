// prelude: llm_exact/exact.glsl
// Turns queries and keys by their positions, scales queries and trims values, in place. Mirrors llm_exact_turn.cu.
//   z      tokens rows of heads of queries, then kv of keys, then kv of values, width floats each
//   turns  tokens rows of width / 2 cosines and sines
//   scale  rsqrt(width), from the host
//   grid   any number of workgroups of 256 invocations, which stride over the pairs
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint tokens, heads, kv, width; float scale; };
layout(std430, binding = 0) buffer Z { vec2 z[]; };
layout(std430, binding = 1) readonly buffer T { vec2 turns[]; };

void main() {
    uint head_pairs = width / 2;
    uint row_pairs = (heads + 2 * kv) * head_pairs;
    uint stride = gl_NumWorkGroups.x * LANES;
    for (uint at = gl_GlobalInvocationID.x; at < tokens * row_pairs; at += stride) {
        uint place = at % row_pairs;
        uint head = place / head_pairs;
        vec2 pair = vec2(trim(z[at].x), trim(z[at].y));
        if (head < heads + kv) {
            vec2 turn = turns[at / row_pairs * head_pairs + place % head_pairs];
            precise float ac = pair.x * turn.x;
            precise float bs = negated(pair.y) * turn.y;
            precise float as = pair.x * turn.y;
            precise float bc = pair.y * turn.x;
            precise float left = ac + bs;
            precise float right = as + bc;
            pair = vec2(trim(left), trim(right));
        }
        if (head < heads) {
            precise float left = pair.x * scale;
            precise float right = pair.y * scale;
            pair = vec2(trim(left), trim(right));
        }
        z[at] = pair;
    }
}
