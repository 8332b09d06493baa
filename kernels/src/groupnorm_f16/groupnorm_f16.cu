// prelude: half/sum.cuh
// y = (x - mean) / sqrt(mean((x - mean)^2) + 1e-5) * w + b by groups, f16 in and out, f32 between, from the sums of parts that
// groupnorm_f16_parts.cu leaves. Mirrors groupnorm_f16.comp; reference.rs is the authority.
//   x, y   blocks / parts groups of gchannels * pixels halves, aligned to 2 bytes
//   w, b   groups * gchannels halves
//   sums   of each part, the sum and the squares around its mean
//   blocks parts of all groups; parts of each group, 8192 elements each, of which the last may have fewer
//   share  the bits of 1 / the elements of a group
//   last   the bits of 1 / the elements of a group's last part
//   grid   any number of blocks of 256 threads: blocks stride over the parts; 1 KiB of shared memory

#define PART 8192

static __device__ unsigned normal_pair(unsigned x, float mean, float scale, float weight, float bias) {
    const float2 v = widen2(x);
    return narrow2((v.x - mean) * scale * weight + bias, (v.y - mean) * scale * weight + bias);
}

extern "C" __global__ void __launch_bounds__(LANES)
    groupnorm_f16(const unsigned short* __restrict__ x, const unsigned short* __restrict__ w,
                  const unsigned short* __restrict__ b, const float2* __restrict__ sums, unsigned short* __restrict__ y,
                  unsigned blocks, unsigned parts, unsigned groups, unsigned gchannels, unsigned pixels, unsigned share,
                  unsigned last) {
    const unsigned cols = gchannels * pixels;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(x) | reinterpret_cast<unsigned long long>(y);
    const bool wide = pixels % 8 == 0 && (bits & 15) == 0;
    for (unsigned block = blockIdx.x; block < blocks; block += gridDim.x) {
        const unsigned row = block / parts, start = block % parts * PART;
        const float2* of_row = sums + row * parts;
        float sum = 0.0f;
        for (unsigned i = threadIdx.x; i < parts; i += LANES) sum += of_row[i].x;
        // As the parts' means, not fused: that of a group of one part is the group's.
        const float mean = __fmul_rn(tree_sum(sum), __uint_as_float(share));
        float squares = 0.0f;
        for (unsigned i = threadIdx.x; i < parts; i += LANES) {
            const bool whole = i + 1 < parts;
            const float2 part = of_row[i];
            const float apart = __fmul_rn(part.x, whole ? 1.0f / PART : __uint_as_float(last)) - mean;
            const float count = static_cast<float>(whole ? PART : cols - i * PART);
            squares += part.y + count * apart * apart;
        }
        const float scale = 1.0f / sqrtf(tree_sum(squares) * __uint_as_float(share) + 1e-5f);

        const unsigned count = cols - start < PART ? cols - start : PART;
        const unsigned channels = row % groups * gchannels;
        const unsigned short* from = x + static_cast<unsigned long long>(row) * cols + start;
        unsigned short* to = y + static_cast<unsigned long long>(row) * cols + start;
        if (wide) {
            for (unsigned i = threadIdx.x; i < count / 8; i += LANES) {
                const unsigned channel = channels + (start + 8 * i) / pixels;
                const float weight = widen(w[channel]), bias = widen(b[channel]);
                const uint4 v = reinterpret_cast<const uint4*>(from)[i];
                reinterpret_cast<uint4*>(to)[i] =
                    make_uint4(normal_pair(v.x, mean, scale, weight, bias), normal_pair(v.y, mean, scale, weight, bias),
                               normal_pair(v.z, mean, scale, weight, bias), normal_pair(v.w, mean, scale, weight, bias));
            }
        } else {
            for (unsigned i = threadIdx.x; i < count; i += LANES) {
                const unsigned channel = channels + (start + i) / pixels;
                to[i] = narrow((widen(from[i]) - mean) * scale * widen(w[channel]) + widen(b[channel]));
            }
        }
    }
}
