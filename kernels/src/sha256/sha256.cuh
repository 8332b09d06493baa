// SHA-256 (FIPS 180-4) in registers: what device code of the proofs begins with. Mirrors sha256.glsl; attest::digest is
// the authority. Words of a message are big-endian numbers, as the standard has them.

__constant__ const unsigned SHA256_ROUND[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
    0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
    0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
    0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
    0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
    0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
    0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u,
};

__constant__ const unsigned SHA256_START[8] = {
    0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u,
};

// The bytes of a word in the other order: between little-endian memory and the standard's words.
__device__ static inline unsigned swapped(unsigned x) {
    return x << 24 | (x & 0xFF00u) << 8 | (x >> 8 & 0xFF00u) | x >> 24;
}

__device__ static inline unsigned rotated(unsigned x, unsigned right) { return x >> right | x << (32 - right); }

__device__ static inline void sha256_start(unsigned (&state)[8]) {
#pragma unroll
    for (int i = 0; i < 8; i++) state[i] = SHA256_START[i];
}

// Mixes one block of 16 words into the state; the words are used up.
__device__ static inline void sha256_compress(unsigned (&state)[8], unsigned (&w)[16]) {
    unsigned a = state[0], b = state[1], c = state[2], d = state[3];
    unsigned e = state[4], f = state[5], g = state[6], h = state[7];
#pragma unroll
    for (int t = 0; t < 64; t++) {
        if (t >= 16) {
            const unsigned x = w[(t + 1) & 15], y = w[(t + 14) & 15];
            w[t & 15] += (rotated(x, 7) ^ rotated(x, 18) ^ x >> 3) + w[(t + 9) & 15] + (rotated(y, 17) ^ rotated(y, 19) ^ y >> 10);
        }
        const unsigned first = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + (g ^ (e & (f ^ g))) + SHA256_ROUND[t] + w[t & 15];
        const unsigned second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) | (c & (a | b)));
        h = g, g = f, f = e, e = d + first;
        d = c, c = b, b = a, a = first + second;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}
