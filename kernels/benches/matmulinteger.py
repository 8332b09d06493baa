"""onnxruntime's integer matrix product (MLAS in the wheels of PyPI), driven over stdin as a peer.

usage:  matmulinteger.py M N K THREADS
stdin:  a number of products on each line
stdout: once "onnxruntime VERSION, KIND", then nanoseconds of all of them, one line for each line read

C = A * B in i32, M x K by K x N, B constant and so packed once. KIND is the faster of u8 by i8 and u8 by u8: i8 by i8 is
several times slower there.
"""

import sys
import time

import numpy
import onnxruntime
from onnx import TensorProto, helper

KINDS = {"u8 by i8": (TensorProto.INT8, numpy.int8), "u8 by u8": (TensorProto.UINT8, numpy.uint8)}
TRIALS = 10

m, n, k, threads = map(int, sys.argv[1:])
rng = numpy.random.default_rng(1)
a = onnxruntime.OrtValue.ortvalue_from_numpy(rng.integers(0, 256, (m, k), dtype=numpy.uint8))
c = onnxruntime.OrtValue.ortvalue_from_numpy(numpy.empty((m, n), dtype=numpy.int32))


def product(kind):
    onnx_type, numpy_type = KINDS[kind]
    b = rng.integers(0, 256, (k, n), dtype=numpy.uint8).astype(numpy_type)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["A", "B"], ["C"])],
        "product",
        [helper.make_tensor_value_info("A", TensorProto.UINT8, [m, k])],
        [helper.make_tensor_value_info("C", TensorProto.INT32, [m, n])],
        [helper.make_tensor("B", onnx_type, [k, n], b.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 10)], ir_version=7)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("A", a)
    binding.bind_ortvalue_output("C", c)
    return lambda: session.run_with_iobinding(binding)


def fastest(run):
    times = []
    for _ in range(TRIALS):
        start = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - start)
    return min(times)


products = {kind: product(kind) for kind in KINDS}
kind = min(products, key=lambda kind: fastest(products[kind]))
print(f"onnxruntime {onnxruntime.__version__}, {kind}", flush=True)
for line in sys.stdin:
    start = time.perf_counter_ns()
    for _ in range(int(line)):
        products[kind]()
    print(time.perf_counter_ns() - start, flush=True)
