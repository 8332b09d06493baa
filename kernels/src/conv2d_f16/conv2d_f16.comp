// prelude: half/half.glsl
// Convolution by implicit matrix product in f16 with f32 sums: rows are output pixels, columns are output channels, k runs
// over taps and input channels. One workgroup takes 128 pixels of 64 channels, an invocation 8 x 8. Mirrors conv2d_f16.cu.
//   x       images of height * width pixels of cin halves, two to a word
//   w       cout * kernel * kernel * cin halves
//   y       pixels * cout halves; an image has oheight * owidth pixels. With an odd cout, pixels share words and their halves
//           are written by atomics
//   window  kernel, stride and padding, a byte each from the lowest
//   grid    (cout / 64, any number) workgroups of 128 invocations, which stride over 128 pixels each; 9 KiB of shared memory
// Each element takes k in ascending order. An invocation gathers the same two pixels in every step.
layout(local_size_x = 128) in;
layout(push_constant) uniform Sizes { uint pixels, height, width, cin, cout, oheight, owidth, window; };
layout(std430, binding = 0) readonly buffer X2 { uvec2 x2[]; };
layout(std430, binding = 0) readonly buffer X1 { uint x1[]; };
layout(std430, binding = 1) readonly buffer W2 { uvec2 w2[]; };
layout(std430, binding = 1) readonly buffer W1 { uint w1[]; };
layout(std430, binding = 2) buffer Y1 { uint y[]; };

const uint ROWS = 128;
const uint COLUMNS = 64;
const uint DEPTH = 8;
// Two vec4s of k and one of padding: eight neighbouring rows fall into different banks.
const uint PITCH = 3;
const uint TALL = 16;
const uint BROAD = 8;
const uint OUTSIDE = 0xFFFFFFFFu;

shared vec4 a_tile[ROWS * PITCH];
shared vec4 b_tile[COLUMNS * PITCH];

// The first tap of an output pixel, which may lie on the padding, in z its image; OUTSIDE where there is no such pixel.
uvec3 pixel_of(uint pixel) {
    uint in_image = pixel % (oheight * owidth);
    uint stride = window >> 8 & 0xFF, pad = window >> 16 & 0xFF;
    // Before the first line or column wraps round, past every last one.
    return uvec3(in_image % owidth * stride - pad, in_image / owidth * stride - pad,
                 pixel < pixels ? pixel / (oheight * owidth) : OUTSIDE);
}

// Of a place along k: tap across, tap down, channel.
uvec3 place_of(uint at) {
    uint tap = at / cin, kernel = window & 0xFF;
    return uvec3(tap % kernel, tap / kernel, at % cin);
}

// The place DEPTH steps on.
uvec3 moved(uvec3 place) {
    place.z += DEPTH;
    while (place.z >= cin) {
        place.z -= cin;
        place.x += 1;
        if (place.x == (window & 0xFF)) {
            place.x = 0;
            place.y += 1;
        }
    }
    return place;
}

// Index in x, or OUTSIDE on the padding.
uint tap_of(uvec3 pixel, uvec3 place) {
    uint col = pixel.x + place.x, row = pixel.y + place.y;
    if (pixel.z == OUTSIDE || row >= height || col >= width) {
        return OUTSIDE;
    }
    return ((pixel.z * height + row) * width + col) * cin + place.z;
}

vec4 unpacked(uvec2 halves) {
    return vec4(unpackHalf2x16(halves.x), unpackHalf2x16(halves.y));
}

// Four halves of one row of the gathered matrix; zeros on the padding and past k.
vec4 gathered(uvec3 pixel, uvec3 place, uint at, uint k) {
    vec4 quad = vec4(0);
    if (at >= k) {
        return quad;
    }
    if (cin % 4 == 0) {
        uint tap = tap_of(pixel, place);
        return tap == OUTSIDE ? quad : unpacked(x2[tap / 4]);
    }
    for (uint i = 0; i < min(k - at, 4); ++i) {
        uint tap = tap_of(pixel, place_of(at + i));
        quad[i] = tap == OUTSIDE ? 0 : unpackHalf2x16(x1[tap / 2])[tap % 2];
    }
    return quad;
}

// Four halves of the weights of one channel; zeros outside.
vec4 weights(uint channel, uint at, uint k) {
    vec4 quad = vec4(0);
    if (channel >= cout || at >= k) {
        return quad;
    }
    uint first = channel * k + at;
    if (cin % 4 == 0) {
        return unpacked(w2[first / 4]);
    }
    for (uint i = 0; i < min(k - at, 4); ++i) {
        quad[i] = unpackHalf2x16(w1[(first + i) / 2])[(first + i) % 2];
    }
    return quad;
}

// Channel, within the tile, that slot `slot` of b_tile holds: an invocation's slots tx + 8 j make pairs of neighbouring
// channels, which share a word.
uint column(uint slot) {
    return 2 * (slot % BROAD) + slot / BROAD % 2 + 2 * BROAD * (slot / (2 * BROAD));
}

void store_pair(uint pixel, uint channel, float left, float right) {
    if (pixel >= pixels || channel >= cout) {
        return;
    }
    uint first = pixel * cout + channel;
    if (cout % 2 == 0) {
        y[first / 2] = narrow(left) | narrow(right) << 16;
        return;
    }
    STORE_HALF(y, first, narrow(left))
    if (channel + 1 < cout) {
        STORE_HALF(y, first + 1, narrow(right))
    }
}

void tile(uint row0, uint col0) {
    uint kernel = window & 0xFF, k = kernel * kernel * cin;
    uint tx = gl_LocalInvocationIndex % BROAD, ty = gl_LocalInvocationIndex / BROAD;
    uint load_row = gl_LocalInvocationIndex / 2, load_quad = gl_LocalInvocationIndex % 2;
    uvec3 upper = pixel_of(row0 + load_row), lower = pixel_of(row0 + load_row + ROWS / 2);
    uint channel = col0 + column(load_row), at = 4 * load_quad;
    uvec3 place = place_of(at);

    float sum[8][8];
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        [[unroll]] for (uint j = 0; j < 8; ++j) {
            sum[i][j] = 0;
        }
    }
    vec4 next_upper = gathered(upper, place, at, k);
    vec4 next_lower = gathered(lower, place, at, k);
    vec4 next_b = weights(channel, at, k);
    for (uint k0 = 0; k0 < k; k0 += DEPTH) {
        a_tile[load_row * PITCH + load_quad] = next_upper;
        a_tile[(load_row + ROWS / 2) * PITCH + load_quad] = next_lower;
        b_tile[load_row * PITCH + load_quad] = next_b;
        barrier();
        at += DEPTH;
        place = moved(place);
        next_upper = gathered(upper, place, at, k);
        next_lower = gathered(lower, place, at, k);
        next_b = weights(channel, at, k);
        [[unroll]] for (uint q = 0; q < 2; ++q) {
            vec4 a[8];
            [[unroll]] for (uint i = 0; i < 8; ++i) {
                a[i] = a_tile[(ty + i * TALL) * PITCH + q];
            }
            [[unroll]] for (uint j = 0; j < 8; ++j) {
                vec4 b = b_tile[(tx + j * BROAD) * PITCH + q];
                [[unroll]] for (uint i = 0; i < 8; ++i) {
                    sum[i][j] += a[i].x * b.x;
                    sum[i][j] += a[i].y * b.y;
                    sum[i][j] += a[i].z * b.z;
                    sum[i][j] += a[i].w * b.w;
                }
            }
        }
        barrier();  // every invocation has read the tiles before the next ones overwrite them
    }
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        [[unroll]] for (uint j = 0; j < 8; j += 2) {
            store_pair(row0 + ty + i * TALL, col0 + column(tx + j * BROAD), sum[i][j], sum[i][j + 1]);
        }
    }
}

void main() {
    for (uint row0 = gl_WorkGroupID.y * ROWS; row0 < pixels; row0 += gl_NumWorkGroups.y * ROWS) {
        tile(row0, gl_WorkGroupID.x * COLUMNS);
    }
}
