"""PyTorch's automatic differentiation of a Llama block in f64, to compare references with.

usage:  autograd.py TOKENS HIDDEN HEADS KVHEADS WIDTH INNER
stdin:  the inputs of train.block.f32.v1 as f32, one after the other
stdout: its outputs as f64, one after the other
"""

import sys

import torch
from torch.nn.functional import scaled_dot_product_attention, silu

tokens, hidden, heads, kvheads, width, inner = map(int, sys.argv[1:])
shapes = [
    (tokens, hidden), (tokens, hidden), (tokens, width), (hidden,), (heads * width, hidden), (kvheads * width, hidden),
    (kvheads * width, hidden), (hidden, heads * width), (hidden,), (inner, hidden), (inner, hidden), (hidden, inner),
]
flat = torch.frombuffer(bytearray(sys.stdin.buffer.read()), dtype=torch.float32).double()
parts = flat.split([torch.Size(shape).numel() for shape in shapes])
x, dy, _, *weights = [part.reshape(shape) for part, shape in zip(parts, shapes)]
for leaf in (x, *weights):
    leaf.requires_grad_()
norm1, wq, wk, wv, wo, norm2, gate, up, down = weights

steps = 500_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
turns = torch.polar(torch.ones(tokens, width // 2, dtype=torch.float64), torch.arange(tokens).double().outer(steps))


def norm(rows, weight):
    return rows * torch.rsqrt(rows.square().mean(1, keepdim=True) + 1e-5) * weight


def by_heads(rows, count):
    return rows.reshape(tokens, count, width).transpose(0, 1)


def turned(matrices):
    pairs = torch.view_as_complex(matrices.reshape(-1, tokens, width // 2, 2))
    return torch.view_as_real(pairs * turns).reshape(-1, tokens, width)


n = norm(x, norm1)
q, k, v = turned(by_heads(n @ wq.T, heads)), turned(by_heads(n @ wk.T, kvheads)), by_heads(n @ wv.T, kvheads)
k, v = (shared.repeat_interleave(heads // kvheads, 0) for shared in (k, v))
mixed = scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1).reshape(tokens, -1)
middle = x + mixed @ wo.T
m = norm(middle, norm2)
y = middle + (silu(m @ gate.T) * (m @ up.T)) @ down.T
(y * dy).sum().backward()
for result in (y.detach(), x.grad, *(weight.grad for weight in weights)):
    sys.stdout.buffer.write(result.contiguous().numpy().tobytes())
