// prelude: half/half.glsl
// The splits of each query in their order: o = sum of sums * exp(top - largest top) / the same sum of totals. Mirrors
// attention_decode_f16_combine.cu; reference.rs is the authority.
//   sums, stats  as attention_decode_f16.comp leaves them, a top and a total to a pair
//   lengths      tokens of each sequence, of which there are batch
//   o            batch * heads * head halves; head is a multiple of 8
//   grid         any number of workgroups: invocations stride over vectors of eight halves
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint batch, heads, head, seqpages; };
layout(std430, binding = 0) readonly buffer Sums { vec4 sums[]; };
layout(std430, binding = 1) readonly buffer Stats { vec2 stats[]; };
layout(std430, binding = 2) readonly buffer Lengths { uint lengths[]; };
layout(std430, binding = 3) writeonly buffer O { uvec4 o[]; };

const uint PAGE = 16;
const uint SPLIT = 256;

void main() {
    uint vectors = head / 8, splits = (seqpages * PAGE + SPLIT - 1) / SPLIT;
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < batch * heads * vectors; i += stride) {
        uint row = i / vectors, part = row * splits;
        uint count = (lengths[row / heads] + SPLIT - 1) / SPLIT;
        float top = stats[part].x;
        for (uint s = 1; s < count; ++s) {
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
        low /= total;
        high /= total;
        o[i] = uvec4(narrow2(low.xy), narrow2(low.zw), narrow2(high.xy), narrow2(high.zw));
    }
}
