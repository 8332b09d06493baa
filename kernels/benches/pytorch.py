"""PyTorch on the CPU, driven over stdin as a peer.

usage:  pytorch.py THREADS
stdin:  an operation, its sizes and a number of runs on each line: "matmul 1024 10"
stdout: once "PyTorch VERSION", then nanoseconds of all runs, one line for each line read

Of each operation every way that PyTorch has (types, memory formats, fused or not) is timed when it is first asked for, and
the fastest is kept; stderr says which. Inputs are random; sizes are those of the workload that is compared.

matmul N                                         C = A * transpose(B), N x N, f32
attention TOKENS HEADS KVHEADS HEAD              causal, grouped queries
conv2d BATCH SIDE CIN COUT KERNEL STRIDE PAD     square images
adamw N                                          one step on one tensor, f32
prefill TOKENS LAYERS HIDDEN HEADS KVHEADS HEAD FFN VOCAB   a network of Llama's form, to the logits of the last token
"""

import sys
import time

import torch
from torch.nn import functional as F

TRIALS = 3


def matmul(n):
    a, b = torch.rand(n, n) * 2 - 1, torch.rand(n, n) * 2 - 1
    c = torch.empty(n, n)
    yield "f32", lambda: torch.mm(a, b.T, out=c)


def attention(tokens, heads, kvheads, head):
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        q = torch.randn(1, heads, tokens, head, dtype=kind)
        k, v = (torch.randn(1, kvheads, tokens, head, dtype=kind) for _ in range(2))
        grouped = heads != kvheads
        yield str(kind), lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        wide_k, wide_v = (x.repeat_interleave(heads // kvheads, 1) for x in (k, v))
        yield f"{kind}, keys repeated", lambda q=q, k=wide_k, v=wide_v: F.scaled_dot_product_attention(q, k, v, is_causal=True)


def conv2d(batch, side, cin, cout, kernel, stride, pad):
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        for layout in (torch.contiguous_format, torch.channels_last):
            x = (torch.rand(batch, cin, side, side) * 2 - 1).to(kind).to(memory_format=layout)
            w = (torch.rand(cout, cin, kernel, kernel) * 2 - 1).to(kind).to(memory_format=layout)
            yield f"{kind} {layout}", lambda x=x, w=w: F.conv2d(x, w, stride=stride, padding=pad)


def adamw(n):
    for way in ({"fused": True}, {"foreach": True}, {"foreach": False}):
        p = torch.nn.Parameter(torch.rand(n) * 2 - 1)
        p.grad = torch.rand(n) * 2 - 1
        step = torch.optim.AdamW([p], lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, **way).step
        yield str(way), step


def prefill(tokens, layers, hidden, heads, kvheads, head, ffn, vocab):
    for kind in (torch.float32, torch.bfloat16, torch.float16):
        weight = lambda *shape: (torch.rand(*shape) * 2 - 1).mul(3**0.5 / shape[-1] ** 0.5).to(kind)
        stack = [
            (
                weight(hidden), weight(heads * head, hidden), weight(kvheads * head, hidden), weight(kvheads * head, hidden),
                weight(hidden, heads * head), weight(hidden), weight(ffn, hidden), weight(ffn, hidden), weight(hidden, ffn),
            )
            for _ in range(layers)
        ]
        embedding, norm, logits = weight(vocab, hidden), weight(hidden), weight(vocab, hidden)
        ids = torch.randint(vocab, (tokens,))
        angles = torch.arange(tokens)[:, None] * 500000.0 ** (-torch.arange(0, head, 2) / head)
        cos, sin = (x[:, None, :].to(kind) for x in (angles.cos(), angles.sin()))

        def turned(x):
            even, odd = x[..., ::2], x[..., 1::2]
            return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)

        def forward(stack=stack, embedding=embedding, norm=norm, logits=logits, ids=ids):
            x = embedding[ids]
            for first, wq, wk, wv, wo, second, gate, up, down in stack:
                h = F.rms_norm(x, (hidden,), first, 1e-5)
                q, k = (turned((h @ w.T).view(tokens, -1, head)) for w in (wq, wk))
                v = (h @ wv.T).view(tokens, -1, head)
                q, k, v = (t.transpose(0, 1)[None] for t in (q, k, v))
                o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=heads != kvheads)
                x = x + o[0].transpose(0, 1).reshape(tokens, -1) @ wo.T
                h = F.rms_norm(x, (hidden,), second, 1e-5)
                x = x + (F.silu(h @ gate.T) * (h @ up.T)) @ down.T
            return logits @ F.rms_norm(x[-1], (hidden,), norm, 1e-5)

        yield str(kind), forward


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def fastest(operation, sizes):
    best = None
    for name, run in globals()[operation](*sizes):
        try:
            run()
        except RuntimeError as error:
            print(f"  {operation} {name}: {error}", file=sys.stderr)
            continue
        taken = min(seconds(run) for _ in range(TRIALS))
        print(f"  {operation} {name}: {taken * 1e3:.2f} ms", file=sys.stderr)
        if best is None or taken < best[0]:
            best = taken, run
    return best[1]


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(1)
    kept = {}
    print("PyTorch", torch.__version__, flush=True)
    with torch.no_grad():
        for line in sys.stdin:
            operation, *numbers = line.split()
            *sizes, runs = map(int, numbers)
            key = operation, *sizes
            if key not in kept:
                kept.clear()
                kept[key] = fastest(operation, sizes)
            start = time.perf_counter_ns()
            for _ in range(runs):
                kept[key]()
            print(time.perf_counter_ns() - start, flush=True)


main()
