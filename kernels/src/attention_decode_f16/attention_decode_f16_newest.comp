// prelude: half/half.glsl
// The splits of each query in their order and then the newest token, which the cache does not hold yet:
// o = (sum of sums * exp(top - largest top) + v * exp(q k / sqrt(head) - largest top)) / the same sum of totals and one.
// Mirrors attention_decode_f16_newest.cu; newest.rs is the authority.
//   sums, stats  as attention_decode_f16.comp leaves them, a top and a total to a pair
//   lengths      tokens of each sequence in the cache, of which there are batch
//   q            batch * heads * head halves; k and v as many for kvheads
//   o            batch * heads * head halves; head is a multiple of 8
//   grid         any number of workgroups: invocations stride over vectors of eight halves
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint batch, heads, kvheads, head, seqpages; };
layout(std430, binding = 0) readonly buffer Sums { vec4 sums[]; };
layout(std430, binding = 1) readonly buffer Stats { vec2 stats[]; };
layout(std430, binding = 2) readonly buffer Lengths { uint lengths[]; };
layout(std430, binding = 3) readonly buffer Q { uvec4 q[]; };
layout(std430, binding = 4) readonly buffer K { uvec4 k[]; };
layout(std430, binding = 5) readonly buffer V { uvec4 v[]; };
layout(std430, binding = 6) writeonly buffer O { uvec4 o[]; };

const uint PAGE = 16;
const uint SPLIT = 256;

float dot2(uint a, uint b) {
    return dot(unpackHalf2x16(a), unpackHalf2x16(b));
}

void main() {
    uint vectors = head / 8, splits = (seqpages * PAGE + SPLIT - 1) / SPLIT;
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < batch * heads * vectors; i += stride) {
        uint row = i / vectors, part = row * splits;
        uint sequence = row / heads, kvrow = sequence * kvheads + row % heads / (heads / kvheads);
        uint count = (lengths[sequence] + SPLIT - 1) / SPLIT;
        float score = 0;
        for (uint at = 0; at < vectors; ++at) {
            uvec4 a = q[row * vectors + at], b = k[kvrow * vectors + at];
            score += (dot2(a.x, b.x) + dot2(a.y, b.y)) + (dot2(a.z, b.z) + dot2(a.w, b.w));
        }
        score /= sqrt(float(head));
        float top = score;
        for (uint s = 0; s < count; ++s) {
            top = max(top, stats[part + s].x);
        }
        float total = 0;
        vec4 low = vec4(0), high = vec4(0);
        for (uint s = 0; s < count; ++s) {
            vec2 stat = stats[part + s];
            uint at = ((part + s) * vectors + i % vectors) * 2;
            float share = exp(stat.x - top);
            total += share * stat.y;
            low += share * sums[at];
            high += share * sums[at + 1];
        }
        uvec4 value = v[kvrow * vectors + i % vectors];
        float share = exp(score - top);
        total += share;
        low += share * vec4(unpackHalf2x16(value.x), unpackHalf2x16(value.y));
        high += share * vec4(unpackHalf2x16(value.z), unpackHalf2x16(value.w));
        low /= total;
        high /= total;
        o[i] = uvec4(narrow2(low.xy), narrow2(low.zw), narrow2(high.xy), narrow2(high.zw));
    }
}
