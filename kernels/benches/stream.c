// STREAM's copy and triad (McCalpin) on arrays of float, as a peer that is driven over stdin.
//   usage    stream ELEMENTS
//   stdin    "copy N" or "triad N": run the kernel N times
//   stdout   nanoseconds of all N runs, one line each
// Built with: cc -O3 -march=native -fopenmp
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static float *restrict a, *restrict b, *restrict c;
static long n;

// Huge pages, as the device under test asks for them too. First touched by the threads that use them.
static float *array(float value) {
    float *p = aligned_alloc(2 << 20, (n * sizeof(float) + (2 << 20) - 1) & ~((2l << 20) - 1));
    if (!p) exit(1);
    madvise(p, n * sizeof(float), MADV_HUGEPAGE);
#pragma omp parallel for
    for (long i = 0; i < n; i++) p[i] = value;
    return p;
}

static void copy(void) {
#pragma omp parallel for
    for (long i = 0; i < n; i++) c[i] = a[i];
}

static void triad(void) {
#pragma omp parallel for
    for (long i = 0; i < n; i++) a[i] = b[i] + 0.5f * c[i];
}

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(int argc, char **argv) {
    n = argc > 1 ? atol(argv[1]) : 0;
    if (n <= 0) return 2;
    a = array(1), b = array(2), c = array(0);
    char kernel[16];
    int runs;
    while (scanf("%15s %d", kernel, &runs) == 2) {
        long long start = now();
        for (int i = 0; i < runs; i++) strcmp(kernel, "copy") ? triad() : copy();
        printf("%lld\n", now() - start);
        fflush(stdout);
    }
    return 0;
}
