// The k largest of each segment of 8192 values of each row, the largest first; of equal ones that of the lower place. Mirrors
// sampling_topk.comp; reference.rs is the authority.
//   values      rows * width floats as their bits, in which 0xFFFFFFFF stands for none; aligned to 16 bytes
//   columns     their columns, in ascending order where values are equal; not read where `first` is not 0: columns are places
//   to_values   rows * segments * k of the largest, then none where a segment has fewer
//   to_columns  their columns
//   k           1 to 256
//   grid        (segments, rows) blocks of 256 threads, 2.1 KiB of shared memory
// Values are compared as integers in the order of the floats. A threshold is built bit by bit, from the top, that at least k
// values reach, until at most 256 do; those are ranked among each other. If more than 256 share the k-th value, a second
// search by place leaves as many of them as are wanted.

#define SEGMENT 8192
#define THREADS 256
#define MINE (SEGMENT / THREADS)
#define CANDIDATES 256
#define NONE 0xFFFFFFFF
#define ALL 0xFFFFFFFF

// An integer in the order of the float with these bits; zero for none.
static __device__ unsigned key_of(unsigned bits) {
    return bits >> 31 ? ~bits : bits | 0x80000000;
}

static __device__ unsigned bits_of(unsigned key) {
    return key >> 31 ? key & 0x7FFFFFFF : ~key;
}

// Place in the segment of a thread's value i.
static __device__ unsigned place_of(unsigned i) {
    return (i / 4 * THREADS + threadIdx.x) * 4 + i % 4;
}

// The segment's keys, in the order of `place_of`; zero past its end.
static __device__ void load(unsigned (&keys)[MINE], const unsigned* __restrict__ values, unsigned count, bool wide) {
    const uint4* vectors = reinterpret_cast<const uint4*>(values);
#pragma unroll
    for (unsigned i = 0; i < MINE; i += 4) {
        const unsigned place = place_of(i);
        if (wide) {
            const uint4 v = place < count ? vectors[place / 4] : make_uint4(NONE, NONE, NONE, NONE);
            keys[i] = key_of(v.x), keys[i + 1] = key_of(v.y), keys[i + 2] = key_of(v.z), keys[i + 3] = key_of(v.w);
        } else {
#pragma unroll
            for (unsigned j = 0; j < 4; j++) keys[i + j] = place + j < count ? key_of(values[place + j]) : 0;
        }
    }
}

// The block's sum; every thread gets it. Two sets of partial sums take turns, so that one barrier is enough.
struct Total {
    unsigned* sums;
    unsigned turn;

    __device__ unsigned of(unsigned mine) {
        for (unsigned other = 16; other > 0; other /= 2) mine += __shfl_xor_sync(ALL, mine, other);
        unsigned* now = sums + 8 * (turn++ % 2);
        if (threadIdx.x % 32 == 0) now[threadIdx.x / 32] = mine;
        __syncthreads();
        unsigned all = 0;
#pragma unroll
        for (unsigned i = 0; i < 8; i++) all += now[i];
        return all;
    }
};

static __device__ unsigned reaching(const unsigned (&keys)[MINE], unsigned least) {
    unsigned count = 0;
#pragma unroll
    for (unsigned i = 0; i < MINE; i++) count += keys[i] >= least;
    return count;
}

static __device__ unsigned equal_before(const unsigned (&keys)[MINE], unsigned key, unsigned place) {
    unsigned count = 0;
#pragma unroll
    for (unsigned i = 0; i < MINE; i++) count += keys[i] == key && place_of(i) < place;
    return count;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    sampling_topk(const unsigned* __restrict__ values, const unsigned* __restrict__ columns,
                      unsigned* __restrict__ to_values, unsigned* __restrict__ to_columns, unsigned width, unsigned k,
                      unsigned first) {
    __shared__ unsigned sums[16], found, candidates[CANDIDATES], places[CANDIDATES];
    const unsigned base = blockIdx.x * SEGMENT, row = blockIdx.y * width;
    const unsigned held = width - base < SEGMENT ? width - base : SEGMENT;
    unsigned keys[MINE];
    load(keys, values + row + base, held, width % 4 == 0);
    if (threadIdx.x == 0) found = 0;
    __syncthreads();

    Total total = {sums, 0};
    unsigned least = 0, count = held;
    for (unsigned bit = 0x80000000; bit > 0 && count > CANDIDATES; bit /= 2) {
        const unsigned reached = total.of(reaching(keys, least | bit));
        if (reached >= k) {
            least |= bit;
            count = reached;
        }
    }
    unsigned end = SEGMENT;  // of the values equal to `least`, those before it are wanted
    if (count > CANDIDATES) {
        const unsigned wanted = k - total.of(reaching(keys, least + 1));
        unsigned last = 0;
        for (unsigned bit = SEGMENT / 2; bit > 0; bit /= 2) {
            if (total.of(equal_before(keys, least, last | bit)) < wanted) last |= bit;
        }
        end = last + 1;
    }

#pragma unroll
    for (unsigned i = 0; i < MINE; i++) {
        if (keys[i] != 0 && (keys[i] > least || (keys[i] == least && place_of(i) < end))) {
            const unsigned slot = atomicAdd(&found, 1u);
            candidates[slot] = keys[i];
            places[slot] = place_of(i);
        }
    }
    __syncthreads();
    const unsigned all = found, to = (blockIdx.y * gridDim.x + blockIdx.x) * k;
    if (threadIdx.x < all) {
        const unsigned key = candidates[threadIdx.x], place = places[threadIdx.x];
        unsigned rank = 0;
        for (unsigned i = 0; i < all; i++) rank += candidates[i] > key || (candidates[i] == key && places[i] < place);
        if (rank < k) {
            to_values[to + rank] = bits_of(key);
            to_columns[to + rank] = first ? base + place : columns[row + base + place];
        }
    } else if (threadIdx.x < k) {
        to_values[to + threadIdx.x] = NONE;
        to_columns[to + threadIdx.x] = NONE;
    }
}
