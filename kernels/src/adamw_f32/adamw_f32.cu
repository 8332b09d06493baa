// One step of AdamW; the constants are those of mod.rs. Mirrors adamw_f32.comp; reference.rs is the authority.
//   p, g, m, v              n floats, any alignment; 16-byte vectors where all are aligned
//   new_p, new_m, new_v     n floats
//   rate_bits, root_bits    the bits of lr / (1 - beta1^t) and of 1 / sqrt(1 - beta2^t)
//   grid                    any number of blocks of any size: threads stride over the vectors

struct Step {
    float rate, root;

    __device__ void take(float& p, float g, float& m, float& v) const {
        m += 0.1f * (g - m);
        v = 0.95f * v + 0.05f * (g * g);
        p = 0.9999f * p - rate * (m / (sqrtf(v) * root + 1e-8f));
    }
};

extern "C" __global__ void adamw_f32(const float* __restrict__ p, const float* __restrict__ g,
                                     const float* __restrict__ m, const float* __restrict__ v,
                                     float* __restrict__ new_p, float* __restrict__ new_m, float* __restrict__ new_v,
                                     unsigned n, unsigned rate_bits, unsigned root_bits) {
    const Step step = {__uint_as_float(rate_bits), __uint_as_float(root_bits)};
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(p) | reinterpret_cast<unsigned long long>(g) |
                                    reinterpret_cast<unsigned long long>(m) | reinterpret_cast<unsigned long long>(v) |
                                    reinterpret_cast<unsigned long long>(new_p) |
                                    reinterpret_cast<unsigned long long>(new_m) |
                                    reinterpret_cast<unsigned long long>(new_v);
    const unsigned long long vectors = (bits & 15) == 0 ? n / 4 : 0;
    for (unsigned long long i = first; i < vectors; i += stride) {
        const float4 grad = reinterpret_cast<const float4*>(g)[i];
        float4 mean = reinterpret_cast<const float4*>(m)[i];
        float4 square = reinterpret_cast<const float4*>(v)[i];
        float4 weight = reinterpret_cast<const float4*>(p)[i];
        step.take(weight.x, grad.x, mean.x, square.x);
        step.take(weight.y, grad.y, mean.y, square.y);
        step.take(weight.z, grad.z, mean.z, square.z);
        step.take(weight.w, grad.w, mean.w, square.w);
        reinterpret_cast<float4*>(new_p)[i] = weight;
        reinterpret_cast<float4*>(new_m)[i] = mean;
        reinterpret_cast<float4*>(new_v)[i] = square;
    }
    for (unsigned long long i = 4 * vectors + first; i < n; i += stride) {
        float mean = m[i], square = v[i], weight = p[i];
        step.take(weight, g[i], mean, square);
        new_p[i] = weight;
        new_m[i] = mean;
        new_v[i] = square;
    }
}
