"""PyTorch's automatic differentiation of training in f64, to compare references with.

usage:  autograd.py block TOKENS HIDDEN HEADS KVHEADS WIDTH INNER
        autograd.py step TOKENS HIDDEN HEADS KVHEADS WIDTH INNER LAYERS VOCAB
stdin:  the inputs of train.block.f32.v1 or of train.step.v1, one after the other
stdout: its outputs as f64, one after the other
"""

import sys

import torch
from torch.nn.functional import cross_entropy, scaled_dot_product_attention, silu

mode, (tokens, hidden, heads, kvheads, width, inner, *more) = sys.argv[1], map(int, sys.argv[2:])
WEIGHTS = [
    (hidden,), (heads * width, hidden), (kvheads * width, hidden), (kvheads * width, hidden), (hidden, heads * width),
    (hidden,), (inner, hidden), (inner, hidden), (hidden, inner),
]
steps = 500_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
turns = torch.polar(torch.ones(tokens, width // 2, dtype=torch.float64), torch.arange(tokens).double().outer(steps))


def norm(rows, weight):
    return rows * torch.rsqrt(rows.square().mean(1, keepdim=True) + 1e-5) * weight


def by_heads(rows, count):
    return rows.reshape(tokens, count, width).transpose(0, 1)


def turned(matrices):
    pairs = torch.view_as_complex(matrices.reshape(-1, tokens, width // 2, 2))
    return torch.view_as_real(pairs * turns).reshape(-1, tokens, width)


def block(x, weights):
    norm1, wq, wk, wv, wo, norm2, gate, up, down = weights
    n = norm(x, norm1)
    q, k, v = turned(by_heads(n @ wq.T, heads)), turned(by_heads(n @ wk.T, kvheads)), by_heads(n @ wv.T, kvheads)
    k, v = (shared.repeat_interleave(heads // kvheads, 0) for shared in (k, v))
    mixed = scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1).reshape(tokens, -1)
    middle = x + mixed @ wo.T
    m = norm(middle, norm2)
    return middle + (silu(m @ gate.T) * (m @ up.T)) @ down.T


def split(flat, shapes):
    parts = flat.split([torch.Size(shape).numel() for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]


def of_block(words):
    x, dy, _, *weights = split(words.view(torch.float32).double(), [(tokens, hidden), (tokens, hidden), (tokens, width), *WEIGHTS])
    for leaf in (x, *weights):
        leaf.requires_grad_()
    y = block(x, weights)
    (y * dy).sum().backward()
    return [y.detach(), x.grad, *(weight.grad for weight in weights)]


def of_step(words):
    layers, vocab = more
    stack = layers * sum(torch.Size(shape).numel() for shape in WEIGHTS)
    ids, labels, rest = words.split([tokens, tokens, len(words) - 2 * tokens])
    groups = [(vocab, hidden), (stack,), (hidden,), (vocab, hidden)]
    _, *states = split(rest.view(torch.float32).double(), [(tokens, width), *(shape for shape in groups for _ in "pmv")])
    weights = [torch.nn.Parameter(state.clone()) for state in states[::3]]
    embedding, flat, last, logits = weights
    x = embedding[ids.long()]
    for layer in flat.chunk(layers):
        x = block(x, split(layer, WEIGHTS))
    losses = cross_entropy(norm(x, last) @ logits.T, labels.long(), reduction="none")
    losses.sum().backward()
    adamw = torch.optim.AdamW(weights, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    for weight, m, v in zip(weights, states[1::3], states[2::3]):
        adamw.state[weight] = {"step": torch.tensor(9.0), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    adamw.step()
    moments = [[adamw.state[weight][name] for name in ("exp_avg", "exp_avg_sq")] for weight in weights]
    return [losses.detach(), *(state for weight, pair in zip(weights, moments) for state in (weight.detach(), *pair))]


words = torch.frombuffer(bytearray(sys.stdin.buffer.read()), dtype=torch.int32)
for result in {"block": of_block, "step": of_step}[mode](words):
    sys.stdout.buffer.write(result.contiguous().numpy().tobytes())
