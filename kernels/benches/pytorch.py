"""PyTorch on the CPU, driven over stdin as a peer.

usage:  pytorch.py THREADS
stdin:  an operation, its sizes and a number of runs on each line: "matmul 1024 10"
stdout: once "PyTorch VERSION", then nanoseconds of all runs, one line for each line read

Of each operation every way that PyTorch has (types, memory formats, fused or not) is timed when it is first asked for, and
the fastest is kept; stderr says which. A way whose first run takes over a second and five times as long as the fastest is not
run again. Inputs are random; sizes are those of the workload that is compared.

Operations on halves are also run in f32 and in bf16, on the same values. A way is kept only if it errs at most twice as much
as PyTorch's halves do, against its own f64: a faster answer that is less exact is timed, and said not to be comparable.

matmul N                                         C = A * transpose(B), N x N, f32
attention TOKENS HEADS KVHEADS HEAD              causal, grouped queries, halves
conv2d BATCH SIDE CIN COUT KERNEL STRIDE PAD     square images, halves
adamw N                                          one step on one tensor, f32
block TOKENS HIDDEN HEADS KVHEADS HEAD FFN       one block of a network of Llama's form, forwards and backwards, f32
prefill TOKENS LAYERS HIDDEN HEADS KVHEADS HEAD FFN VOCAB   a network of Llama's form, halves, to the logits of the last token
step TOKENS LAYERS HIDDEN HEADS KVHEADS HEAD FFN VOCAB      one step of training the same, f32: all gradients and AdamW
"""

import copy
import sys
import time

import torch
from torch.nn import functional as F

TRIALS = 3
HOPELESS = 5
HOPELESS_SECONDS = 1
INEXACT = 2

EXACT, SINGLE, HALF = torch.float64, torch.float32, torch.float16
KINDS = EXACT, SINGLE, HALF, torch.bfloat16


def halves(*shape):
    return (torch.rand(*shape) * 2 - 1).to(HALF)


def matmul(n):
    a, b = torch.rand(n, n) * 2 - 1, torch.rand(n, n) * 2 - 1
    c = torch.empty(n, n)
    yield SINGLE, "", lambda: torch.mm(a, b.T, out=c)


def attention(tokens, heads, kvheads, head):
    normal = lambda heads: torch.randn(1, heads, tokens, head).to(HALF)
    inputs = normal(heads), normal(kvheads), normal(kvheads)
    for kind in KINDS:
        q, k, v = (x.to(kind) for x in inputs)
        grouped = heads != kvheads
        yield kind, "", lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        wide_k, wide_v = (x.repeat_interleave(heads // kvheads, 1) for x in (k, v))
        yield kind, "keys repeated", lambda q=q, k=wide_k, v=wide_v: F.scaled_dot_product_attention(q, k, v, is_causal=True)


def conv2d(batch, side, cin, cout, kernel, stride, pad):
    x, w = halves(batch, cin, side, side), halves(cout, cin, kernel, kernel)
    for kind in KINDS:
        for layout in (torch.contiguous_format, torch.channels_last):
            pair = (tensor.to(kind).to(memory_format=layout) for tensor in (x, w))
            yield kind, str(layout), lambda x=next(pair), w=next(pair): F.conv2d(x, w, stride=stride, padding=pad)


def adamw(n):
    for way in ({"fused": True}, {"foreach": True}, {"foreach": False}):
        p = torch.nn.Parameter(torch.rand(n) * 2 - 1)
        p.grad = torch.rand(n) * 2 - 1
        step = torch.optim.AdamW([p], lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, **way).step
        yield SINGLE, str(way), step


class Network:
    """Of Llama's form: a prompt's rows behind the last block."""

    def __init__(self, kind, tokens, layers, hidden, heads, kvheads, head, ffn, vocab):
        weight = lambda *shape: ((torch.rand(*shape) * 2 - 1) * (3 / shape[-1]) ** 0.5).to(kind)
        norm = lambda: (torch.rand(hidden) + 0.5).to(kind)
        self.stack = [
            (
                norm(), weight(heads * head, hidden), weight(kvheads * head, hidden), weight(kvheads * head, hidden),
                weight(hidden, heads * head), norm(), weight(ffn, hidden), weight(ffn, hidden), weight(hidden, ffn),
            )
            for _ in range(layers)
        ]
        self.embedding, self.norm, self.logits = weight(vocab, hidden), norm(), weight(vocab, hidden)
        self.ids = torch.randint(vocab, (tokens,))
        self.sizes = tokens, hidden, head, heads != kvheads
        angles = torch.arange(tokens)[:, None] * 500000.0 ** (-torch.arange(0, head, 2) / head)
        self.cos, self.sin = (x[:, None, :].to(kind) for x in (angles.cos(), angles.sin()))

    def to(self, kind):
        """The same network in another kind."""
        other = copy.copy(self)
        other.stack = [[weight.to(kind) for weight in block] for block in self.stack]
        for name in ("embedding", "norm", "logits", "cos", "sin"):
            setattr(other, name, getattr(self, name).to(kind))
        return other

    def weights(self):
        return [self.embedding, self.norm, self.logits, *(weight for block in self.stack for weight in block)]

    def turned(self, x):
        even, odd = x[..., ::2], x[..., 1::2]
        return torch.stack((even * self.cos - odd * self.sin, even * self.sin + odd * self.cos), -1).flatten(-2)

    def block(self, x, weights):
        tokens, hidden, head, grouped = self.sizes
        first, wq, wk, wv, wo, second, gate, up, down = weights
        h = F.rms_norm(x, (hidden,), first, 1e-5)
        q, k = (self.turned((h @ w.T).view(tokens, -1, head)) for w in (wq, wk))
        v = (h @ wv.T).view(tokens, -1, head)
        q, k, v = (t.transpose(0, 1)[None] for t in (q, k, v))
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        x = x + o[0].transpose(0, 1).reshape(tokens, -1) @ wo.T
        h = F.rms_norm(x, (hidden,), second, 1e-5)
        return x + (F.silu(h @ gate.T) * (h @ up.T)) @ down.T

    def rows(self):
        x = F.embedding(self.ids, self.embedding)
        for weights in self.stack:
            x = self.block(x, weights)
        return x

    def scores(self, rows):
        return F.rms_norm(rows, (self.sizes[1],), self.norm, 1e-5) @ self.logits.T


def block(tokens, *sizes):
    network = Network(torch.float32, tokens, 1, *sizes, 1)
    x, dy = (torch.rand(tokens, sizes[0]) * 2 - 1 for _ in range(2))
    leaves = [leaf.requires_grad_() for leaf in (x, *network.stack[0])]

    def both():
        with torch.enable_grad():
            return torch.autograd.grad(network.block(x, network.stack[0]), leaves, dy)

    yield SINGLE, "", both


def prefill(*sizes):
    drawn = Network(HALF, *sizes)
    for kind in KINDS:
        network = drawn.to(kind)
        yield kind, "", lambda network=network: network.scores(network.rows()[-1])


def step(*sizes):
    for way, anew in (({"fused": True}, True), ({"fused": True}, False), ({"foreach": True}, True)):
        network = Network(torch.float32, *sizes)
        weights = [weight.requires_grad_() for weight in network.weights()]
        adamw = torch.optim.AdamW(weights, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, **way)
        labels = torch.randint(sizes[-1], (sizes[0],))

        def one(network=network, adamw=adamw, labels=labels, anew=anew):
            with torch.enable_grad():
                loss = F.cross_entropy(network.scores(network.rows()), labels, reduction="sum")
            adamw.zero_grad(set_to_none=anew)
            loss.backward()
            adamw.step()

        yield SINGLE, f"{way}, gradients made anew: {anew}", one


def timed(run):
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def error(result, exact):
    """Root of the mean square, of that of the exact result."""
    return ((result.to(EXACT) - exact).norm() / exact.norm()).item()


def ways(operation, sizes):
    """The ways that run here: name, run, seconds of the first run, and whether its result may be compared."""
    exact = mark = None
    for kind, way, run in globals()[operation](*sizes):
        name = f"{operation} {kind} {way}".strip()
        try:
            first, result = timed(run)
        except RuntimeError as refusal:
            print(f"  {name}: {refusal}", file=sys.stderr)
            continue
        if kind is EXACT:
            exact = result
            continue
        comparable = True
        if exact is not None:
            errs = error(result, exact)
            mark = mark or (errs if kind is HALF else None)
            comparable = kind is SINGLE or mark is not None and errs <= INEXACT * mark
            name += f" (errs {errs:.1e})"
        yield name, run, first, comparable


def fastest(operation, sizes):
    best = None
    for name, run, first, comparable in ways(operation, sizes):
        if best is not None and first > max(HOPELESS_SECONDS, HOPELESS * best[0]):
            print(f"  {name}: {first * 1e3:.2f} ms at first", file=sys.stderr)
            continue
        taken = min(timed(run)[0] for _ in range(TRIALS))
        print(f"  {name}: {taken * 1e3:.2f} ms{'' if comparable else ', not comparable'}", file=sys.stderr)
        if comparable and (best is None or taken < best[0]):
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
