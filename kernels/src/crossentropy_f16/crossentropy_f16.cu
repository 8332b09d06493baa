// prelude: crossentropy_f16/peak.cuh
// Cross-entropy of rows of halves and its gradient times 1024, f32 between. Mirrors crossentropy_f16.comp; reference.rs is
// the authority.
//   x, dx    rows * vocab halves, row-major, aligned to 2 bytes
//   labels   rows words below vocab
//   loss     rows floats
//   vocab    columns per row, > 0; need not be a multiple of blockDim.x
//   grid     any number of blocks of 256 threads: blocks stride over the rows; 2 KiB of shared memory
// A row is read twice: for its largest logit and the sum of exponentials at once, then for the gradient.

#define SCALE 1024.0f

static __device__ void widen8(uint4 v, float (&x)[8]) {
    const float2 a = widen2(v.x), b = widen2(v.y), c = widen2(v.z), d = widen2(v.w);
    x[0] = a.x, x[1] = a.y, x[2] = b.x, x[3] = b.y, x[4] = c.x, x[5] = c.y, x[6] = d.x, x[7] = d.y;
}

// What the gradients of a row are made from.
struct Row {
    float top, share;
    unsigned label;

    __device__ float gradient(float x, unsigned col) const {
        return expf(x - top) * share - (col == label ? SCALE : 0.0f);
    }

    __device__ unsigned gradient2(unsigned pair, unsigned col) const {
        const float2 v = widen2(pair);
        return narrow2(gradient(v.x, col), gradient(v.y, col + 1));
    }
};

extern "C" __global__ void __launch_bounds__(LANES)
    crossentropy_f16(const unsigned short* __restrict__ x, const unsigned* __restrict__ labels,
                     float* __restrict__ loss, unsigned short* __restrict__ dx, unsigned rows, unsigned vocab) {
    __shared__ Peak partial[LANES];
    const unsigned long long bits = reinterpret_cast<unsigned long long>(x) | reinterpret_cast<unsigned long long>(dx);
    const unsigned vectors = vocab % 8 == 0 && (bits & 15) == 0 ? vocab / 8 : 0;
    const unsigned tail = 8 * vectors + threadIdx.x;
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        const unsigned short* from = x + static_cast<unsigned long long>(row) * vocab;
        unsigned short* to = dx + static_cast<unsigned long long>(row) * vocab;
        const uint4* wide_from = reinterpret_cast<const uint4*>(from);
        uint4* wide_to = reinterpret_cast<uint4*>(to);

        Peak mine = {-65504.0f, 0.0f};  // no half is lower; -infinity less itself would be NaN
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            float eight[8];
            widen8(wide_from[i], eight);
            mine.add(eight);
        }
        for (unsigned i = tail; i < vocab; i += LANES) {
            const float one[1] = {widen(from[i])};
            mine.add(one);
        }
        const Peak all = tree(partial, mine);
        const Row sums = {all.top, SCALE / all.sum, labels[row]};
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const uint4 v = wide_from[i];
            wide_to[i] = make_uint4(sums.gradient2(v.x, 8 * i), sums.gradient2(v.y, 8 * i + 2),
                                    sums.gradient2(v.z, 8 * i + 4), sums.gradient2(v.w, 8 * i + 6));
        }
        for (unsigned i = tail; i < vocab; i += LANES) to[i] = narrow(sums.gradient(widen(from[i]), i));
        if (threadIdx.x == 0) loss[row] = logf(all.sum) + (all.top - widen(from[sums.label]));
    }
}
