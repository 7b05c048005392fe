"""The blocks of transformers: attention of tokens, in windows, among channels or places, and products over tokens."""

from __future__ import annotations

import numpy as np

from bench.measure.probe_draft import Draft


def merge(d: Draft, x: str, out: int) -> str:
    """Four neighbours become the channels of one (Swin), by strided slices."""
    y = d.transpose(x, (0, 2, 3, 1))
    _, h, w, c = d.shapes[y]
    y = d.cut(d.cut(y, 0, h // 2 * 2, 1), 0, w // 2 * 2, 2)
    rows = [d.cut(y, i, h // 2 * 2, 1, 2) for i in (0, 1)]
    y = d.concat([d.cut(r, i, w // 2 * 2, 2, 2) for i in (0, 1) for r in rows], 3)
    weight = d.weight((4 * c, out), 4 * c)
    y = d.op("MatMul", [d.layernorm(y), weight], (1, h // 2, w // 2, out))
    return d.transpose(y, (0, 3, 1, 2))


def windows(
    d: Draft, x: str, heads: int, window: int = 7, shift: bool = False, act: str = "gelu", bias: bool = True
) -> str:
    """Attention inside windows (Swin), then two products."""
    y = d.transpose(x, (0, 2, 3, 1))
    _, h, w, c = d.shapes[y]
    z = d.layernorm(y)
    fits = h % window == 0 and w % window == 0
    size = window if fits else h
    if shift:
        s = size // 2
        z = d.concat([d.cut(z, s, h, 1), d.cut(z, 0, s, 1)], 1)
        z = d.concat([d.cut(z, s, w, 2), d.cut(z, 0, s, 2)], 2)
    rows, columns = h // size, w // size if fits else 1
    z = d.reshape(d.transpose(d.reshape(z, (1, rows, size, columns, w // columns, c)), (0, 1, 3, 2, 4, 5)),
                  (rows * columns, size * (w // columns), c))  # fmt: skip
    z = _attend(d, z, heads, bias)
    z = d.transpose(d.reshape(z, (1, rows, columns, size, w // columns, c)), (0, 1, 3, 2, 4, 5))
    y = d.binary("Add", y, d.reshape(z, (1, h, w, c)))
    y = d.binary("Add", y, d.linear(d.act(d.linear(d.layernorm(y), 4 * c), act), c))
    return d.transpose(y, (0, 3, 1, 2))


def _attend(d: Draft, x: str, heads: int, bias: bool = False, apart: bool = False) -> str:
    """Attention of tokens: one product for queries, keys and values, as the exporter decomposes it."""
    batch, n, c = d.shapes[x]
    head = c // heads
    if apart:
        q, k, v = (d.transpose(d.reshape(d.linear(x, c), (batch, n, heads, head)), (0, 2, 1, 3)) for _ in range(3))
    else:
        y = d.transpose(d.reshape(d.linear(x, 3 * c), (batch, n, 3, heads, head)), (2, 0, 3, 1, 4))
        q, k, v = (d.op("Squeeze", [p, d.constant([0])], (batch, heads, n, head)) for p in d.parts(y, [1, 1, 1], 0))
    scale = d.constant([head**-0.25], np.float32, scalar=True)
    q = d.op("Mul", [q, scale], d.shapes[q])
    k = d.op("Mul", [d.transpose(k, (0, 1, 3, 2)), scale], (batch, heads, head, n))
    s = d.op("MatMul", [q, k], (batch, heads, n, n))
    if bias:
        s = d.scaled(s, (1, heads, n, n), "Add")
    y = d.op("MatMul", [d.op("Softmax", [s], d.shapes[s], axis=-1), v], (batch, heads, n, head))
    return d.linear(d.reshape(d.transpose(y, (0, 2, 1, 3)), (batch, n, c)), c)


def transformer(d: Draft, x: str, heads: int, expand: float = 4, act: str = "gelu", scale: bool = False,
                apart: bool = False) -> str:  # fmt: skip
    """Attention and two products, each with what went in added."""
    c = d.shapes[x][-1]
    y = _attend(d, d.layernorm(x), heads, apart=apart)
    x = d.binary("Add", x, d.scaled(y, (c,)) if scale else y)
    y = d.linear(d.act(d.linear(d.layernorm(x), round(c * expand)), act), c)
    return d.binary("Add", x, d.scaled(y, (c,)) if scale else y)


def channels(d: Draft, x: str, heads: int, expand: float = 4, act: str = "gelu") -> str:
    """Attention among channels (XCiT, EdgeNeXt): products as small as the heads, of long vectors."""
    _, n, c = d.shapes[x]
    head = c // heads
    y = d.transpose(d.reshape(d.linear(d.layernorm(x), 3 * c), (1, n, 3, heads, head)), (2, 0, 3, 4, 1))
    q, k, v = (d.op("Squeeze", [p, d.constant([0])], (1, heads, head, n)) for p in d.parts(y, [1, 1, 1], 0))
    q, k = (d.binary("Div", t, _length(d, t)) for t in (q, k))
    s = d.op("MatMul", [q, d.transpose(k, (0, 1, 3, 2))], (1, heads, head, head))
    s = d.op("Mul", [s, d.constant([1.1], np.float32, scalar=True)], d.shapes[s])
    y = d.op("MatMul", [d.op("Softmax", [s], d.shapes[s], axis=-1), v], (1, heads, head, n))
    y = d.linear(d.reshape(d.transpose(y, (0, 3, 1, 2)), (1, n, c)), c)
    x = d.binary("Add", x, d.scaled(y, (c,)))
    y = d.linear(d.act(d.linear(d.layernorm(x), round(c * expand)), act), c)
    return d.binary("Add", x, d.scaled(y, (c,)))


def _length(d: Draft, x: str) -> str:
    """The Euclidean length of the last axis, not quite zero."""
    y = d.mean(x, (-1,), kind="ReduceL2")
    y = d.op("Clip", [y, d.constant([1e-12], np.float32, scalar=True)], d.shapes[y])
    return d.op("Expand", [y, d.constant(d.shapes[x])], d.shapes[x])


def mlp_mixer(d: Draft, x: str, expand: float = 4, act: str = "gelu", inner: int = 0) -> str:
    """Products over tokens, then over channels."""
    _, n, c = d.shapes[x]
    y = d.transpose(d.layernorm(x), (0, 2, 1))
    y = d.linear(d.act(d.linear(y, inner or c // 2), act), n)
    x = d.binary("Add", x, d.transpose(y, (0, 2, 1)))
    return d.binary("Add", x, d.linear(d.act(d.linear(d.layernorm(x), round(c * expand)), act), c))


def patches(d: Draft, x: str, heads: int, depth: int = 1, width: int = 0, act: str = "silu") -> str:
    """Attention among the same places of all patches (MobileViT), between convolutions."""
    _, c, h, w = d.shapes[x]
    patch = 2 if h % 2 == 0 and w % 2 == 0 else 1
    width = width or c
    y = d.conv(d.act(d.conv(x, c, 3), act), width)
    rows, columns = h // patch, w // patch
    y = d.transpose(d.reshape(y, (width * rows, patch, columns, patch)), (0, 2, 1, 3))
    y = d.transpose(d.reshape(y, (1, width, rows * columns, patch * patch)), (0, 3, 2, 1))
    y = d.reshape(y, (patch * patch, rows * columns, width))
    for _ in range(depth):
        y = transformer(d, y, heads, 2, act)
    y = d.transpose(d.reshape(d.layernorm(y), (1, patch * patch, rows * columns, width)), (0, 3, 2, 1))
    y = d.transpose(d.reshape(y, (width * rows, columns, patch, patch)), (0, 2, 1, 3))
    y = d.act(d.conv(d.reshape(y, (1, width, h, w)), c), act)
    return d.act(d.conv(d.concat([x, y]), c, 3), act)


def class_token(d: Draft, x: str) -> str:
    """A token in front, and places."""
    _, n, c = d.shapes[x]
    return d.scaled(d.concat([d.weight_of((1, 1, c)), x], 1), (1, n + 1, c), "Add")
