// Twins of the instructions around matrix units, after cuda_shim.h. Which lane holds what stands in the PTX ISA 8.0, 9.7.13.4,
// "Matrix multiply-accumulate operation using mma instruction"; 9.7.13.4.15 for ldmatrix and 9.7.8.22 for cp.async.

#pragma once

namespace shim {

// Brings this lane's part of a product. The words of the whole warp are in `slot` of its fibres when it returns.
static inline unsigned bring(const unsigned (&a)[4], const unsigned (&b)[2], unsigned line) {
    const unsigned slot = self().products++ % 2;
    std::memcpy(self().fragment[slot], a, sizeof a);
    std::memcpy(self().fragment[slot] + 4, b, sizeof b);
    // Once the whole warp is here, nobody reads the other slot any more.
    wait(State::AtWarp, line);
    return slot;
}

// Sixteen bytes along k of one row of A and one column of B for each of this lane's sums, from a warp's fragments. Lane
// 4 r + q holds bytes 4 q .. 4 q + 3 and 16 + 4 q .. 16 + 4 q + 3 of rows r and r + 8 of A and of column r of B, and the sums
// of those rows in columns 2 q and 2 q + 1, whatever the elements are.
struct Operands {
    alignas(4) std::uint8_t left[2][32], right[2][32];

    explicit Operands(unsigned slot) {
        const Fibre* warp = &fibres[launch.current / WARP * WARP];
        const unsigned row = launch.current % WARP / 4, column = launch.current % 4 * 2;
        for (unsigned i = 0; i < 2; i++) {
            for (unsigned q = 0; q < 4; q++) {
                const unsigned *mine = warp[4 * row + q].fragment[slot], *theirs = warp[4 * (column + i) + q].fragment[slot];
                for (unsigned half = 0; half < 2; half++) {
                    std::memcpy(left[i] + 16 * half + 4 * q, mine + 2 * half + i, 4);
                    std::memcpy(right[i] + 16 * half + 4 * q, theirs + 4 + half, 4);
                }
            }
        }
    }
};

// mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32, modulo 2^32.
static inline void multiply(int (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2], unsigned line) {
    const Operands operands(bring(a, b, line));
    for (unsigned i = 0; i < 4; i++) {
        unsigned total = static_cast<unsigned>(sum[i]);
        for (unsigned k = 0; k < 32; k++) {
            const int left = static_cast<std::int8_t>(operands.left[i / 2][k]);
            const int right = static_cast<std::int8_t>(operands.right[i % 2][k]);
            total += static_cast<unsigned>(left * right);
        }
        sum[i] = static_cast<int>(total);
    }
}

// mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32; the units add in an order of their own, and so may this.
static inline void multiply(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2], unsigned line) {
    const Operands operands(bring(a, b, line));
    float left[2][16], right[2][16];
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 16; k++) {
            unsigned short halves[2];
            std::memcpy(&halves[0], operands.left[i] + 2 * k, 2);
            std::memcpy(&halves[1], operands.right[i] + 2 * k, 2);
            left[i][k] = widen(halves[0]);
            right[i][k] = widen(halves[1]);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        float total = 0;
        for (unsigned k = 0; k < 16; k++) total += left[i / 2][k] * right[i % 2][k];
        sum[i] += total;
    }
}

// ldmatrix.sync.aligned.m8n8.x4.shared.b16: lane 8 j + r names row r of matrix j, sixteen bytes; lane 4 r + q gets word q of row
// r of each matrix.
static inline void fragments(unsigned (&to)[4], const void* row, unsigned line) {
    for (unsigned j = 0; j < 4; j++) {
        const void* named = exchange(row, 8 * j + launch.current % WARP / 4, line);
        std::memcpy(&to[j], static_cast<const unsigned*>(named) + launch.current % 4, 4);
    }
}

// cp.async.cg.shared.global: sixteen bytes, of which those after the first `bytes` are zeros. A copy may be done at once or as
// late as when it is waited for: it is the one in ascending order and the other in descending.
static inline void copy(const Copy& one) {
    std::memset(one.to, 0, 16);
    if (one.bytes) std::memcpy(one.to, one.from, one.bytes);
}

static inline void copy_later(void* to, const void* from, unsigned bytes) {
    Fibre& thread = self();
    const Copy one = {to, from, bytes, thread.groups};
    if (launch.descending && thread.copying < sizeof thread.copies / sizeof one) thread.copies[thread.copying++] = one;
    else copy(one);
}

// cp.async.wait_group: every group is done but for the last `left`.
static inline void await_copies(unsigned left) {
    Fibre& thread = self();
    unsigned kept = 0;
    for (unsigned i = 0; i < thread.copying; i++) {
        const Copy one = thread.copies[i];
        if (one.group + left < thread.groups) copy(one);
        else thread.copies[kept++] = one;
    }
    thread.copying = kept;
}

}  // namespace shim

#define multiply(sum, a, b) shim::multiply(sum, a, b, __LINE__)
#define fragments(to, row) shim::fragments(to, row, __LINE__)
#define copy_later(to, from, bytes) shim::copy_later(to, from, bytes)
// cp.async.commit_group
#define close_copies() (shim::self().groups++)
#define await_copies(left) shim::await_copies(left)
