"""numpy's matrix product (OpenBLAS in the wheels of PyPI), driven over stdin as a peer.

usage:  openblas.py N
stdin:  a number of products on each line
stdout: once "numpy VERSION", then nanoseconds of all of them, one line for each line read

C = A * transpose(B) in f32, N x N, as gemm.f32.v1 has it. OPENBLAS_NUM_THREADS sets the threads.
"""

import sys
import time

import numpy

n = int(sys.argv[1])
rng = numpy.random.default_rng(1)
a, b = (rng.random((n, n), dtype=numpy.float32) * 2 - 1 for _ in range(2))
c = numpy.empty((n, n), dtype=numpy.float32)
print("numpy", numpy.__version__, flush=True)
for line in sys.stdin:
    start = time.perf_counter_ns()
    for _ in range(int(line)):
        numpy.matmul(a, b.T, out=c)
    print(time.perf_counter_ns() - start, flush=True)
