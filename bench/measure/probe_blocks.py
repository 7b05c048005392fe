"""Made-up networks: stacks of the blocks that mobile, convolutional and transformer networks consist of.

A network is ``{"side": 224, "channels": 3, "blocks": [{"block": "inverted", "out": 24, ...}, ...]}``
(`bench.predict.recipes` draws them): a few numbers, so that nothing has to travel. Blocks of tokens change an image
into tokens first, and the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bench.graph.reading import OnnxModel
from bench.measure.probe_draft import Draft

Network = dict[str, Any]


def network(recipe: Network) -> OnnxModel:
    """Make the ONNX model of a recipe."""
    side = int(recipe["side"])
    d = Draft((1, int(recipe.get("channels", 3)), side, side))
    x = "x"
    for given in recipe["blocks"]:
        row = dict(given)
        kind = row.pop("block")
        if kind != "head":
            x = (as_tokens if kind in TOKENS else as_image)(d, x)
        x = BLOCKS[kind](d, x, **row)
    return d.model([x])


def as_image(d: Draft, x: str) -> str:
    """Return tokens as an image, without those that fill no square."""
    shape = d.shapes[x]
    if len(shape) != 3:
        return x
    side = math.isqrt(shape[1])
    if side * side != shape[1]:
        x = d.cut(x, shape[1] - side * side, shape[1], 1)
    return d.reshape(d.transpose(x, (0, 2, 1)), (1, shape[2], side, side))


def as_tokens(d: Draft, x: str) -> str:
    """Return an image as tokens."""
    shape = d.shapes[x]
    return x if len(shape) != 4 else d.transpose(d.reshape(x, (1, shape[1], shape[2] * shape[3])), (0, 2, 1))


def conv(d: Draft, x: str, out: int, kernel: int = 3, stride: int = 1, group: int = 1, dilation: int = 1,
         act: str = "relu", bn: bool = False) -> str:  # fmt: skip
    x = d.conv(x, out, kernel, stride, group, dilation)
    return d.batchnorm(d.act(x, act)) if bn else d.act(x, act)


def squeeze(d: Draft, x: str, to: int, act: str = "relu", gate: str = "sigmoid", pool: bool = False) -> str:
    """Squeeze and excitation."""
    c = d.shapes[x][1]
    s = d.op("GlobalAveragePool", [x], (1, c, 1, 1)) if pool else d.mean(x, (2, 3))
    s = d.act(d.conv(d.act(d.conv(s, to), act), c), gate)
    return d.binary("Mul", x, s)


def eca(d: Draft, x: str, kernel: int = 3) -> str:
    """Channel attention by a convolution over channels."""
    c = d.shapes[x][1]
    s = d.reshape(d.mean(x, (2, 3), keep=False), (1, 1, c))
    s = d.act(d.conv(s, 1, kernel), "sigmoid")
    return d.binary("Mul", x, d.reshape(s, (1, c, 1, 1)))


def spatial(d: Draft, x: str, kernel: int = 7) -> str:
    """Spatial attention from mean and maximum over channels."""
    s = d.concat([d.mean(x, (1,)), d.mean(x, (1,), kind="ReduceMax")])
    return d.binary("Mul", x, d.act(d.conv(s, 1, kernel), "sigmoid"))


def _attended(d: Draft, x: str, kind: str, act: str, gate: str, to: int) -> str:
    if kind in ("se", "pooled se"):
        return squeeze(d, x, max(4, to), act, gate, kind == "pooled se")
    return {"eca": eca, "spatial": spatial}[kind](d, x) if kind else x


def inverted(d: Draft, x: str, out: int, kernel: int = 3, stride: int = 1, expand: float = 4, act: str = "relu6",
             attention: str = "", gate: str = "sigmoid", reduce: int = 4, mix: int = 0) -> str:  # fmt: skip
    c = d.shapes[x][1]
    inner = max(8, round(c * expand))
    y = d.act(d.conv(x, inner), act) if expand != 1 else x
    if mix:  # kernels of several sizes, each for a part of the channels
        sizes = [inner // mix] * (mix - 1)
        parts = d.parts(y, [*sizes, inner - sum(sizes)])
        y = d.concat([d.conv(p, d.shapes[p][1], 3 + 2 * i, stride, d.shapes[p][1]) for i, p in enumerate(parts)])
        y = d.act(y, act)
    else:
        y = d.act(d.conv(y, inner, kernel, stride, inner), act)
    y = d.conv(_attended(d, y, attention, act, gate, inner // reduce), out)
    return d.binary("Add", y, x) if stride == 1 and out == c else y


def bottleneck(d: Draft, x: str, out: int, kernel: int = 3, stride: int = 1, ratio: float = 0.25, group: int = 1,
               act: str = "relu", attention: str = "", pooled: bool = False, dilation: int = 1) -> str:  # fmt: skip
    c = d.shapes[x][1]
    inner = max(group, round(out * ratio / group) * group)
    y = d.act(d.conv(x, inner), act)
    y = d.act(d.conv(y, inner, kernel, stride, group, dilation), act)
    y = _attended(d, y, attention, act, "sigmoid", inner // 4)
    y = d.conv(y, out)
    if stride > 1 or out != c:
        x = d.conv(d.pool(x, "AveragePool", 2, 2) if pooled and stride == 2 and d.shapes[x][-1] % 2 == 0 else x, out,
                   1, 1 if pooled and stride == 2 and d.shapes[x][-1] % 2 == 0 else stride)  # fmt: skip
    return d.act(d.binary("Add", y, x), act)


def basic(d: Draft, x: str, out: int, stride: int = 1, act: str = "relu", attention: str = "", bn: bool = False) -> str:
    c = d.shapes[x][1]
    start = d.act(d.batchnorm(x), act) if bn else x  # normalised before: nothing to fold it into
    y = d.conv(d.act(d.conv(start, out, 3, stride), act), out, 3)
    y = _attended(d, y, attention, act, "sigmoid", out // 8)
    if stride > 1 or out != c:
        x = d.conv(x, out, 1, stride)
    y = d.binary("Add", y, x)
    return y if bn else d.act(y, act)


def dense(d: Draft, x: str, growth: int = 32, layers: int = 3, width: int = 4, act: str = "relu") -> str:
    """Layers that each add channels to all before them."""
    for _ in range(layers):
        y = d.act(d.conv(d.act(d.batchnorm(x), act), growth * width), act)
        x = d.concat([x, d.conv(y, growth, 3)])
    return x


def transition(d: Draft, x: str, out: int, act: str = "relu") -> str:
    return d.pool(d.conv(d.act(d.batchnorm(x), act), out), "AveragePool", 2, 2)


def shuffle(d: Draft, x: str, act: str = "relu", kernel: int = 3, group: int = 1) -> str:
    """Half of the channels go through a branch; then channels are shuffled."""
    _, c, h, w = d.shapes[x]
    half = c // 2
    a, y = d.parts(x, [half, c - half])
    inner = c - half
    g = group if inner % group == 0 else 1
    y = d.act(d.conv(y, inner, group=g), act)
    y = d.act(d.conv(d.conv(y, inner, kernel, 1, inner), inner, group=g), act)
    x = d.concat([a, y])
    if c % 2:
        return x
    x = d.transpose(d.reshape(x, (1, 2, half, h, w)), (0, 2, 1, 3, 4))
    return d.reshape(x, (1, c, h, w))


def ghost(d: Draft, x: str, out: int, kernel: int = 3, act: str = "relu") -> str:
    """Half of the channels are made of the others by cheap convolutions."""
    half = -(-out // 2)
    y = d.act(d.conv(x, half), act)
    y = d.concat([y, d.act(d.conv(y, half, kernel, 1, half), act)])
    return d.cut(y, 0, out, 1) if 2 * half != out else y


def inception(d: Draft, x: str, out: int, act: str = "relu", long: int = 7) -> str:
    """Four branches, one with a window in two strips."""
    quarter = max(8, out // 4)
    a = d.act(d.conv(x, quarter), act)
    b = d.act(d.conv(d.act(d.conv(x, quarter), act), quarter, 3), act)
    e = d.act(d.conv(d.act(d.conv(d.act(d.conv(x, quarter), act), quarter, (1, long)), act), quarter, (long, 1)), act)
    p = d.act(d.conv(d.pool(x, "AveragePool", 3, 1), quarter), act)
    return d.concat([a, b, e, p])


def branches(d: Draft, x: str, out: int, kernel: int = 3, stride: int = 1, group: int = 1, act: str = "relu") -> str:
    """Branches that are trained apart and added up: windows of two sizes, and a normalisation where shapes allow."""
    c = d.shapes[x][1]
    y = d.binary("Add", d.conv(x, out, kernel, stride, group), d.conv(x, out, 1, stride, group))
    if stride == 1 and out == c:
        y = d.binary("Add", y, d.batchnorm(x))
    return d.act(y, act)


def partial(d: Draft, x: str, part: int = 4, expand: float = 2, act: str = "relu") -> str:
    """A convolution of some of the channels, then two products, with what went in added."""
    c = d.shapes[x][1]
    some = max(1, c // part)
    a, rest = d.parts(x, [some, c - some])
    y = d.concat([d.conv(a, some, 3), rest])
    return d.binary("Add", x, d.conv(d.act(d.conv(y, round(c * expand)), act), c))


def convnext(d: Draft, x: str, kernel: int = 7, expand: float = 4, act: str = "gelu", scale: bool = True,
             convs: bool = False, strips: bool = False) -> str:  # fmt: skip
    c = d.shapes[x][1]
    if strips:  # a square, two strips, and channels that nothing is done to
        g = max(1, c // 8)
        rest, a, b, e = d.parts(x, [c - 3 * g, g, g, g])
        y = d.concat([rest, d.conv(a, g, 3, 1, g), d.conv(b, g, (1, kernel), 1, g), d.conv(e, g, (kernel, 1), 1, g)])
    else:
        y = d.conv(x, c, kernel, 1, c)
    if convs:  # 1x1 convolutions in place of products
        y = d.conv(d.act(d.conv(y, round(c * expand)), act), c)
        y = d.scaled(y, (c, 1, 1)) if scale else y
    else:
        y = d.linear(d.act(d.linear(d.layernorm(d.transpose(y, (0, 2, 3, 1))), round(c * expand)), act), c)
        y = d.transpose(d.scaled(y, (c,)) if scale else y, (0, 3, 1, 2))
    return d.binary("Add", y, x)


def norm_conv(d: Draft, x: str, out: int, kernel: int = 2, stride: int = 2, norm: str = "layer") -> str:
    """A normalisation and what makes the image smaller."""
    if norm == "layer":
        x = d.transpose(d.layernorm(d.transpose(x, (0, 2, 3, 1))), (0, 3, 1, 2))
    elif norm == "batch":
        x = d.batchnorm(x)
    elif norm == "group":
        x = group_norm(d, x)
    if kernel != stride:
        return d.conv(x, out, kernel, stride)
    _, c, h, w = d.shapes[x]
    weight, bias = d.weight((out, c, kernel, kernel), c * kernel * kernel), d.weight((out,), out)
    return d.op("Conv", [x, weight, bias], (1, out, h // stride, w // stride), kernel_shape=[kernel] * 2,
                pads=[0] * 4, strides=[stride] * 2, group=1, dilations=[1, 1])  # fmt: skip


def group_norm(d: Draft, x: str, groups: int = 1) -> str:
    """As the exporter writes it: an instance normalisation of reshaped channels, then scale and shift."""
    _, c, h, w = d.shapes[x]
    y = d.reshape(x, (1, groups, c // groups * h * w))
    y = d.op("InstanceNormalization", [y, d.weight((groups,), 1), d.weight((groups,), 1)], d.shapes[y])
    return d.scaled(d.scaled(d.reshape(y, (1, c, h, w)), (c, 1, 1)), (c, 1, 1), "Add")


def pool_mixer(d: Draft, x: str, expand: float = 4, act: str = "gelu") -> str:
    """A pooling in the place of attention, then 1x1 convolutions."""
    c = d.shapes[x][1]
    y = group_norm(d, x)
    y = d.binary("Sub", d.pool(y, "AveragePool", 3, 1), y)
    x = d.binary("Add", x, d.scaled(y, (c, 1, 1)))
    y = d.conv(d.act(d.conv(group_norm(d, x), round(c * expand)), act), c)
    return d.binary("Add", x, d.scaled(y, (c, 1, 1)))


def pool(d: Draft, x: str, kind: str = "MaxPool", kernel: int = 3, stride: int = 2) -> str:
    return d.pool(x, kind, kernel, stride)


def resize(d: Draft, x: str, side: int, linear: bool = False) -> str:
    return d.resize(x, side, linear)


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


def windows(d: Draft, x: str, heads: int, window: int = 7, shift: bool = False, act: str = "gelu", expand: float = 4,
            bias: bool = True) -> str:  # fmt: skip
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
    y = d.binary("Add", y, d.linear(d.act(d.linear(d.layernorm(y), round(c * expand)), act), c))
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
    import numpy as np

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
    c = d.shapes[x][-1]
    y = _attend(d, d.layernorm(x), heads, apart=apart)
    x = d.binary("Add", x, d.scaled(y, (c,)) if scale else y)
    y = d.linear(d.act(d.linear(d.layernorm(x), round(c * expand)), act), c)
    return d.binary("Add", x, d.scaled(y, (c,)) if scale else y)


def channels(d: Draft, x: str, heads: int, expand: float = 4, act: str = "gelu") -> str:
    """Attention among channels (XCiT, EdgeNeXt): products as small as the heads, of long vectors."""
    import numpy as np

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
    import numpy as np

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


def patches(d: Draft, x: str, heads: int, patch: int = 2, depth: int = 1, width: int = 0, act: str = "silu") -> str:
    """Attention among the same places of all patches (MobileViT), between convolutions."""
    _, c, h, w = d.shapes[x]
    patch = patch if h % patch == 0 and w % patch == 0 else 1
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


def head(d: Draft, x: str, out: int = 1000, hidden: int = 0, act: str = "relu", norm: bool = False,
         pool: bool = False) -> str:  # fmt: skip
    """Pooling (or the first token), and a classifier."""
    shape = d.shapes[x]
    if len(shape) == 4:
        x = d.conv(x, hidden) if hidden else x
        x = d.act(x, act) if hidden else x
        c = d.shapes[x][1]
        x = d.reshape(d.op("GlobalAveragePool", [x], (1, c, 1, 1)) if pool else d.mean(x, (2, 3)), (1, c))
        x = d.layernorm(x) if norm else x
    else:
        x = d.layernorm(x)
        x = d.op("Gather", [x, d.constant([0], scalar=True)], (1, shape[2]), axis=1)
    return d.linear(x, out)


TOKENS = ("transformer", "channels", "mlp_mixer", "class_token")
BLOCKS: dict[str, Callable[..., str]] = {
    f.__name__: f
    for f in (
        conv, inverted, bottleneck, basic, dense, transition, shuffle, ghost, inception, branches, partial, convnext,
        norm_conv, pool_mixer, pool, resize, merge, windows, transformer, channels, mlp_mixer, patches, class_token,
    )
} | {"head": head, "squeeze": squeeze, "eca": eca, "spatial": spatial}  # fmt: skip
