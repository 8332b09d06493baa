// Moves heads between rows of tokens and matrices of their own, turning each pair of a head by its angle or leaving it.
// Mirrors train_block_f32_turn.comp.
//   from, to   tokens * heads * width floats: by tokens, then heads, or by heads, then tokens
//   table      tokens * width floats, cosine and sine of each pair's angle
//   width      of a head, even
//   flags      bit 0: from heads to tokens, and turned backwards; bit 1: turn
//   grid       any number of blocks of any size: threads stride over the pairs

extern "C" __global__ void train_block_f32_turn(const float* __restrict__ from, const float* __restrict__ table,
                                                float* __restrict__ to, unsigned tokens, unsigned heads,
                                                unsigned width, unsigned flags) {
    const unsigned long long pairs = static_cast<unsigned long long>(tokens) * heads * (width / 2);
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    const bool back = (flags & 1) != 0, turned = (flags & 2) != 0;
    for (unsigned long long i = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < pairs;
         i += stride) {
        const unsigned pair = static_cast<unsigned>(i % (width / 2));
        const unsigned head = static_cast<unsigned>(i / (width / 2) % heads);
        const unsigned token = static_cast<unsigned>(i / (width / 2) / heads);
        const unsigned long long by_token = 2 * i;
        const unsigned long long by_head = (static_cast<unsigned long long>(head) * tokens + token) * width + 2 * pair;
        const float* x = from + (back ? by_head : by_token);
        float* y = to + (back ? by_token : by_head);
        float cosine = 1.0f, sine = 0.0f;
        if (turned) {
            const float* angle = table + static_cast<unsigned long long>(token) * width + 2 * pair;
            cosine = angle[0];
            sine = back ? -angle[1] : angle[1];
        }
        const float a = x[0], b = x[1];
        y[0] = a * cosine - b * sine;
        y[1] = a * sine + b * cosine;
    }
}
