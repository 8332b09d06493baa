// prelude: half/half.glsl
// Y = X transpose(W) with 4-bit weights and i8 activations in blocks of 32, Y in f32, as tile.glsl, for devices that are
// processors: 32 rows for up to 8 tokens per workgroup, which is one subgroup of eight lanes. Loads are what costs there, so
// each token is read by one lane and broadcast to the others; there are no products of bytes, so a block's sum is made in f32,
// whose 24 bits hold all of it: it is the same exact integer.
//   x         m * blocks blocks of 32 signed bytes
//   x_scales  m * blocks halves, two to a word
//   w         n * blocks blocks of 16 bytes, row-major: byte j holds weights j, low, and j + 16, each plus 8
//   scales    n * blocks halves, two to a word
//   y         m * n floats
//   m n blocks  any sizes; n * blocks, 2 * m * blocks and m * n below 2^31, blocks below 65,536: Mesa ends longer loops
//   grid      (n / 32, m / 8) workgroups, rounded up; rows and tokens outside repeat the last one and are not stored
#extension GL_KHR_shader_subgroup_ballot : require
layout(local_size_x = 8) in;
layout(push_constant) uniform Sizes { uint m, n, blocks; };
layout(std430, binding = 0) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 1) readonly buffer XScales { uint x_scales[]; };
layout(std430, binding = 2) readonly buffer W { uvec4 w[]; };
layout(std430, binding = 3) readonly buffer Scales { uint scales[]; };
layout(std430, binding = 4) writeonly buffer Y { float y[]; };

#define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define FOUR(DO) DO(0) DO(1) DO(2) DO(3)
#define CLEAR(t) dots[t] = vec4(0);
#define CLEAR_SUMS(t) sums[t] = vec4(0);
#define WORD(r) words[r] = w[w_at[r] + block][part];
#define LOW(r) low[r] = float(int(words[r] & 15u) - 8);
#define HIGH(r) high[r] = float(int(words[r] >> 4 & 15u) - 8);
#define SHIFT(r) words[r] >>= 8;
#define TAKE(t) dots[t] += subgroupBroadcast(x_low, t) * low; dots[t] += subgroupBroadcast(x_high, t) * high;
#define SCALE(r) w_scale[r] = half_at(scales[(w_at[r] + block) / 2], w_at[r] + block);
#define ADD(t) sums[t] += w_scale * subgroupBroadcast(x_scale, t) * dots[t];
#define STORE(t) store(token0 + t, row0, sums[t]);

// A byte, the lowest, with its sign.
float signed_byte(uint word) {
    return float(int(word << 24) >> 24);
}

void store(uint token, uint row0, vec4 sum) {
    [[unroll]] for (uint r = 0; r < 4; ++r) {
        uint row = row0 + 8 * r;
        if (token < m && row < n) {
            y[token * n + row] = sum[r];
        }
    }
}

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint row0 = gl_WorkGroupID.x * 32 + lane;
    uint token0 = gl_WorkGroupID.y * 8;
    uint x_at = min(token0 + lane, m - 1) * blocks;
    uvec4 w_at = min(row0 + uvec4(0, 8, 16, 24), n - 1) * blocks;
    vec4 sums[8];
    EIGHT(CLEAR_SUMS)
    for (uint block = 0; block < blocks; ++block) {
        vec4 dots[8];
        EIGHT(CLEAR)
        for (uint part = 0; part < 4; ++part) {
            uint x_lows = x[2 * (x_at + block)][part], x_highs = x[2 * (x_at + block) + 1][part];
            uvec4 words;
            FOUR(WORD)
            for (uint byte = 0; byte < 4; ++byte) {
                float x_low = signed_byte(x_lows), x_high = signed_byte(x_highs);
                vec4 low, high;
                FOUR(LOW)
                FOUR(HIGH)
                EIGHT(TAKE)
                FOUR(SHIFT)
                x_lows >>= 8;
                x_highs >>= 8;
            }
        }
        vec4 w_scale;
        FOUR(SCALE)
        float x_scale = half_at(x_scales[(x_at + block) / 2], x_at + block);
        EIGHT(ADD)
    }
    EIGHT(STORE)
}
