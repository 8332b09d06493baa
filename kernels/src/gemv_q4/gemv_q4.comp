// prelude: half/half.glsl
// y = W x with 4-bit weights and i8 activations in blocks of 32, y in f32. Mirrors gemv_q4.cu;
// reference.rs is the authority.
//   w         n * blocks blocks of 16 bytes, row-major: byte j holds weights j, low, and j + 16, each plus 8
//   scales    n * blocks halves, two to a word
//   x         blocks blocks of 32 signed bytes
//   x_scales  blocks halves
//   n blocks  n * blocks below 2^32, blocks below 2^21: a lane's loop has fewer than 65,536 rounds
//   grid      any number of workgroups of 256 invocations, 2 KiB of shared memory: sixteen rows a workgroup, 32 lanes for two
//             rows; workgroups stride over the rows
// Lane t takes blocks t, t + 32, ... of two rows that share what it reads of x. A block's sum is an exact integer; the 32
// sums of a row are added in a fixed tree, so the result does not depend on subgroups.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n, blocks; };
layout(std430, binding = 0) readonly buffer W { uvec4 w[]; };
layout(std430, binding = 1) readonly buffer Scales { uint scales[]; };
layout(std430, binding = 2) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 3) readonly buffer XScales { uint x_scales[]; };
layout(std430, binding = 4) writeonly buffer Y { float y[]; };

const uint ROWS = 16;
shared vec2 partial[256];

ivec4 bytes_of(uint word) {
    int bits = int(word);
    return ivec4(bits << 24, bits << 16, bits << 8, bits) >> 24;
}

// sum + a[0] b[0] + a[1] b[1] + a[2] b[2] + a[3] b[3] over signed bytes.
int dot4(uint a, uint b, int sum) {
    ivec4 products = bytes_of(a) * bytes_of(b);
    return sum + (products.x + products.y) + (products.z + products.w);
}

// Adds 16 times the products of the eight weights of a word: a nibble above four zero bits, its highest bit turned, is
// 16 times the nibble minus 8 as a signed byte.
int add_eight(uint word, uint low, uint high, int sum) {
    uint first = ((word << 4) & 0xF0F0F0F0u) ^ 0x80808080u, second = (word & 0xF0F0F0F0u) ^ 0x80808080u;
    return dot4(second, high, dot4(first, low, sum));
}

float scaled_sum(uint at, uvec4 low, uvec4 high, float x_scale) {
    uvec4 words = w[at];
    int sum = 0;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        sum = add_eight(words[i], low[i], high[i], sum);
    }
    return half_at(scales[at / 2], at) * x_scale * float(sum);
}

vec2 sums_of(uvec2 rows, uint lane) {
    vec2 sums = vec2(0);
    for (uint i = lane; i < blocks; i += 32) {
        uvec4 low = x[2 * i], high = x[2 * i + 1];
        float x_scale = half_at(x_scales[i / 2], i) * 0.0625;
        sums.x += scaled_sum(rows.x * blocks + i, low, high, x_scale);
        sums.y += scaled_sum(rows.y * blocks + i, low, high, x_scale);
    }
    return sums;
}

void main() {
    uint lane = gl_LocalInvocationIndex % 32, slot = gl_LocalInvocationIndex / 32 * 2;
    for (uint first = gl_WorkGroupID.x * ROWS; first < n; first += gl_NumWorkGroups.x * ROWS) {
        // Lanes past the last row repeat it.
        uint left = n - first - 1;
        partial[gl_LocalInvocationIndex] = sums_of(first + min(uvec2(slot, slot + 1), left), lane);
        barrier();
        for (uint other = 16; other > 0; other /= 2) {
            if (lane < other) {
                partial[gl_LocalInvocationIndex] += partial[gl_LocalInvocationIndex + other];
            }
            barrier();
        }
        if (lane < 2 && slot + lane <= left) {
            y[first + slot + lane] = partial[gl_LocalInvocationIndex - lane][lane];
        }
        barrier();  // every row has been stored before the next ones overwrite the sums
    }
}
