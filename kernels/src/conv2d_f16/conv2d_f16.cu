// prelude: half/half.cuh
// Convolution by implicit matrix product, f16 in and out, sums in f32: rows are output pixels, columns are output channels,
// k runs over taps and input channels. Mirrors conv2d_f16.comp; reference.rs is the authority.
//   x       images of height * width pixels of cin halves, aligned to 2 bytes
//   w       cout * kernel * kernel * cin halves
//   y       pixels * cout halves; an image has oheight * owidth pixels
//   window  kernel, stride and padding, a byte each from the lowest
//   grid    ceil(cout / 64) by any number of blocks of 128 threads, which stride over 128 pixels each; 26 KiB of shared memory
// A block computes 128 pixels of 64 channels in steps of 16 along k, a thread 8 x 8 as in gemm_f16.cu. A thread gathers the
// same two pixels in every step, so it keeps where they lie and which tap it has come to.

#define ROWS 128
#define COLUMNS 64
#define STEP 16
// Rows of 4 more floats spread the columns that one thread stores over the banks and keep 16-byte reads aligned.
#define ROW_PITCH (ROWS + 4)
#define COLUMN_PITCH (COLUMNS + 4)

struct Sizes {
    unsigned height, width, cin, kernel, k;
    // Whether eight halves of one tap are one aligned vector.
    bool wide;
};

// The first tap of an output pixel; may lie on the padding.
struct Pixel {
    unsigned image;
    int top, left;
};

// A place along k.
struct Place {
    unsigned at, channel, across, down;

    __device__ void move(const Sizes& sizes) {
        at += STEP;
        channel += STEP;
        while (channel >= sizes.cin) {
            channel -= sizes.cin;
            if (++across == sizes.kernel) {
                across = 0;
                down++;
            }
        }
    }
};

static __device__ Place place_of(unsigned at, const Sizes& sizes) {
    const unsigned tap = at / sizes.cin;
    return {at, at % sizes.cin, tap % sizes.kernel, tap / sizes.kernel};
}

static __device__ const unsigned short* tap_of(const unsigned short* __restrict__ x, const Pixel& pixel, const Place& place,
                                               const Sizes& sizes) {
    const unsigned row = pixel.top + place.down, col = pixel.left + place.across;
    if (row >= sizes.height || col >= sizes.width) return nullptr;
    const unsigned long long line = static_cast<unsigned long long>(pixel.image) * sizes.height + row;
    return x + (line * sizes.width + col) * sizes.cin + place.channel;
}

static __device__ void put(unsigned long long& low, unsigned long long& high, unsigned i, unsigned long long half) {
    low |= i < 4 ? half << 16 * i : 0;
    high |= i < 4 ? 0 : half << 16 * (i - 4);
}

static __device__ uint4 words_of(unsigned long long low, unsigned long long high) {
    return make_uint4(low, low >> 32, high, high >> 32);
}

// Eight halves of one row of the gathered matrix; zeros on the padding and past k.
static __device__ uint4 gathered(const unsigned short* __restrict__ x, const Pixel& pixel, const Place& place, bool there,
                                 const Sizes& sizes) {
    if (!there || place.at >= sizes.k) return make_uint4(0, 0, 0, 0);
    if (sizes.wide) {
        const unsigned short* tap = tap_of(x, pixel, place, sizes);
        return tap ? *reinterpret_cast<const uint4*>(tap) : make_uint4(0, 0, 0, 0);
    }
    unsigned long long low = 0, high = 0;
    const unsigned columns = sizes.k - place.at < 8 ? sizes.k - place.at : 8;
#pragma unroll 1
    for (unsigned i = 0; i < columns; i++) {
        const unsigned short* tap = tap_of(x, pixel, place_of(place.at + i, sizes), sizes);
        put(low, high, i, tap ? *tap : 0);
    }
    return words_of(low, high);
}

// Eight halves of one row of the weights; zeros outside.
static __device__ uint4 weights(const unsigned short* __restrict__ w, unsigned row, unsigned at, bool there,
                                const Sizes& sizes) {
    if (!there || at >= sizes.k) return make_uint4(0, 0, 0, 0);
    const unsigned short* p = w + static_cast<unsigned long long>(row) * sizes.k + at;
    if (sizes.wide) return *reinterpret_cast<const uint4*>(p);
    unsigned long long low = 0, high = 0;
    const unsigned columns = sizes.k - at < 8 ? sizes.k - at : 8;
#pragma unroll 1
    for (unsigned i = 0; i < columns; i++) put(low, high, i, p[i]);
    return words_of(low, high);
}

template <unsigned PITCH>
static __device__ void store(float4* tile, unsigned row, unsigned col, uint4 v) {
    float* to = reinterpret_cast<float*>(tile) + col * PITCH + row;
    const unsigned words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
        to[2 * i * PITCH] = widen(words[i] & 0xFFFF);
        to[(2 * i + 1) * PITCH] = widen(words[i] >> 16);
    }
}

// Four neighbouring channels of one pixel, as far as there are so many.
static __device__ void write(unsigned short* __restrict__ out, const float* sum, unsigned channels, bool wide) {
    unsigned halves[4];
#pragma unroll
    for (unsigned j = 0; j < 4; j++) halves[j] = narrow(sum[j]);
    if (wide) {
        *reinterpret_cast<uint2*>(out) = make_uint2(halves[0] | halves[1] << 16, halves[2] | halves[3] << 16);
        return;
    }
#pragma unroll
    for (unsigned j = 0; j < 4; j++) {
        if (j < channels) out[j] = halves[j];
    }
}

extern "C" __global__ void __launch_bounds__(128, 4)
    conv2d_f16(const unsigned short* __restrict__ x, const unsigned short* __restrict__ w, unsigned short* __restrict__ y,
               unsigned pixels, unsigned height, unsigned width, unsigned cin, unsigned cout, unsigned oheight,
               unsigned owidth, unsigned window) {
    __shared__ float4 as[2][STEP][ROW_PITCH / 4], bs[2][STEP][COLUMN_PITCH / 4];
    const unsigned kernel = window & 0xFF, stride = window >> 8 & 0xFF, pad = window >> 16 & 0xFF;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(x) | reinterpret_cast<unsigned long long>(w);
    const Sizes sizes = {height, width, cin, kernel, kernel * kernel * cin, cin % 8 == 0 && (bits & 15) == 0};
    const bool wide_y = cout % 4 == 0 && (reinterpret_cast<unsigned long long>(y) & 7) == 0;
    const unsigned thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    const unsigned load_row = thread / 2, load_col = thread % 2 * 8;
    const unsigned down0 = (warp * 4 + lane / 8) * 4, across0 = lane % 8 * 4;
    const unsigned left = blockIdx.x * COLUMNS, channel = left + load_row;

    for (unsigned top = blockIdx.y * ROWS; top < pixels; top += gridDim.y * ROWS) {
        Pixel mine[2];
#pragma unroll
        for (unsigned i = 0; i < 2; i++) {
            const unsigned pixel = top + load_row + 64 * i, in_image = pixel % (oheight * owidth);
            mine[i] = {pixel / (oheight * owidth), static_cast<int>(in_image / owidth * stride) - static_cast<int>(pad),
                       static_cast<int>(in_image % owidth * stride) - static_cast<int>(pad)};
        }
        const bool there[2] = {top + load_row < pixels, top + load_row + 64 < pixels};
        Place place = place_of(load_col, sizes);

        float sum[8][8] = {};
#pragma unroll
        for (unsigned i = 0; i < 2; i++) {
            store<ROW_PITCH>(as[0][0], load_row + 64 * i, load_col, gathered(x, mine[i], place, there[i], sizes));
        }
        store<COLUMN_PITCH>(bs[0][0], load_row, load_col, weights(w, channel, load_col, channel < cout, sizes));
        __syncthreads();
        for (unsigned at = 0, stage = 0; at < sizes.k; at += STEP, stage ^= 1) {
            const bool more = sizes.k - at > STEP;
            uint4 next_a[2], next_b;
            if (more) {
                place.move(sizes);
                next_a[0] = gathered(x, mine[0], place, there[0], sizes);
                next_a[1] = gathered(x, mine[1], place, there[1], sizes);
                next_b = weights(w, channel, place.at, channel < cout, sizes);
            }
#pragma unroll
            for (unsigned p = 0; p < STEP; p++) {
                const float4 a0 = as[stage][p][down0 / 4], a1 = as[stage][p][down0 / 4 + 16];
                const float4 b0 = bs[stage][p][across0 / 4], b1 = bs[stage][p][across0 / 4 + 8];
                const float down[8] = {a0.x, a0.y, a0.z, a0.w, a1.x, a1.y, a1.z, a1.w};
                const float across[8] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
#pragma unroll
                for (unsigned i = 0; i < 8; i++) {
#pragma unroll
                    for (unsigned j = 0; j < 8; j++) sum[i][j] += down[i] * across[j];
                }
            }
            if (more) {
                store<ROW_PITCH>(as[stage ^ 1][0], load_row, load_col, next_a[0]);
                store<ROW_PITCH>(as[stage ^ 1][0], load_row + 64, load_col, next_a[1]);
                store<COLUMN_PITCH>(bs[stage ^ 1][0], load_row, load_col, next_b);
            }
            __syncthreads();  // the next step is stored, and nobody reads this one any more
        }

#pragma unroll
        for (unsigned i = 0; i < 8; i++) {
            const unsigned pixel = top + down0 + i % 4 + i / 4 * 64;
#pragma unroll
            for (unsigned half = 0; half < 2; half++) {
                const unsigned col = left + across0 + half * 32;
                if (pixel < pixels && col < cout) {
                    write(y + static_cast<unsigned long long>(pixel) * cout + col, sum[i] + half * 4, cout - col, wide_y);
                }
            }
        }
    }
}
