// prelude: half/half.cuh
// What kernels for matrix units of compute capability 8.0 and later are made of: products of fragments, and copies to shared
// memory that a thread does not wait for. The PTX ISA says which lane holds what (9.7.13.4).

#ifdef CUDA_SHIM
static unsigned rounded2(float low, float high) { return narrow2(low, high); }
#else
static __device__ unsigned shared_address(const void* pointer) {
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// sum += A B^T of 16 x 16 halves of A and 8 x 16 of B.
static __device__ void multiply(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four matrices of 8 x 8 halves in shared memory: lane 8 j + r names row r of matrix j, and gets words of each.
static __device__ void fragments(unsigned (&to)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// Sixteen bytes from global to shared memory, both aligned to as much; those after the first `bytes` are zeros.
static __device__ void copy_later(void* to, const void* from, unsigned bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
}

// The copies that the thread began since the last call are a group.
static __device__ void close_copies() { asm volatile("cp.async.commit_group;" : : : "memory"); }

// Waits until at most `left` groups of this thread are not done, the last ones; `left` is a constant.
#define await_copies(left) asm volatile("cp.async.wait_group %0;" : : "n"(left) : "memory")

// Two neighbours as halves, nearest, ties to even.
static __device__ unsigned rounded2(float low, float high) {
    unsigned pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
#endif

