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
from bench.measure import probe_tokens as tokens
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
    """A convolution and its activation; `bn`: a normalisation that cannot be folded into it."""
    x = d.conv(x, out, kernel, stride, group, dilation)
    return d.batchnorm(d.act(x, act)) if bn else d.act(x, act)


def squeeze(d: Draft, x: str, to: int, act: str = "relu", gate: str = "sigmoid", pool: bool = False) -> str:
    """Squeeze and excitation."""
    c = d.shapes[x][1]
    s = d.op("GlobalAveragePool", [x], (1, c, 1, 1)) if pool else d.mean(x, (2, 3))
    s = d.act(d.conv(d.act(d.conv(s, to), act), c), gate)
    return d.binary("Mul", x, s)


def eca(d: Draft, x: str) -> str:
    """Channel attention by a convolution over channels."""
    c = d.shapes[x][1]
    s = d.reshape(d.mean(x, (2, 3), keep=False), (1, 1, c))
    s = d.act(d.conv(s, 1, 3), "sigmoid")
    return d.binary("Mul", x, d.reshape(s, (1, c, 1, 1)))


def spatial(d: Draft, x: str) -> str:
    """Spatial attention from mean and maximum over channels."""
    s = d.concat([d.mean(x, (1,)), d.mean(x, (1,), kind="ReduceMax")])
    return d.binary("Mul", x, d.act(d.conv(s, 1, 7), "sigmoid"))


def _attended(d: Draft, x: str, kind: str, act: str, gate: str, to: int) -> str:
    if kind in ("se", "pooled se"):
        return squeeze(d, x, max(4, to), act, gate, kind == "pooled se")
    return {"eca": eca, "spatial": spatial}[kind](d, x) if kind else x


def inverted(d: Draft, x: str, out: int, kernel: int = 3, stride: int = 1, expand: float = 4, act: str = "relu6",
             attention: str = "", gate: str = "sigmoid", reduce: int = 4, mix: int = 0) -> str:  # fmt: skip
    """An inverted residual: wider, depthwise, with attention or not, narrower."""
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


def bottleneck(d: Draft, x: str, out: int, stride: int = 1, ratio: float = 0.25, group: int = 1,
               act: str = "relu", attention: str = "", pooled: bool = False, dilation: int = 1) -> str:  # fmt: skip
    """A residual bottleneck."""
    c = d.shapes[x][1]
    inner = max(group, round(out * ratio / group) * group)
    y = d.act(d.conv(x, inner), act)
    y = d.act(d.conv(y, inner, 3, stride, group, dilation), act)
    y = _attended(d, y, attention, act, "sigmoid", inner // 4)
    y = d.conv(y, out)
    if stride > 1 or out != c:
        pooled = pooled and stride == 2 and d.shapes[x][-1] % 2 == 0
        x = d.conv(d.pool(x, "AveragePool", 2, 2) if pooled else x, out, 1, 1 if pooled else stride)
    return d.act(d.binary("Add", y, x), act)


def basic(d: Draft, x: str, out: int, stride: int = 1, act: str = "relu", attention: str = "", bn: bool = False) -> str:
    """Two 3x3 convolutions around a residual."""
    c = d.shapes[x][1]
    start = d.act(d.batchnorm(x), act) if bn else x  # normalised before: nothing to fold it into
    y = d.conv(d.act(d.conv(start, out, 3, stride), act), out, 3)
    y = _attended(d, y, attention, act, "sigmoid", out // 8)
    if stride > 1 or out != c:
        x = d.conv(x, out, 1, stride)
    y = d.binary("Add", y, x)
    return y if bn else d.act(y, act)


def dense(d: Draft, x: str, growth: int = 32, layers: int = 3, act: str = "relu") -> str:
    """Layers that each add channels to all before them."""
    for _ in range(layers):
        y = d.act(d.conv(d.act(d.batchnorm(x), act), growth * 4), act)
        x = d.concat([x, d.conv(y, growth, 3)])
    return x


def transition(d: Draft, x: str, out: int, act: str = "relu") -> str:
    """Half the side between dense blocks."""
    return d.pool(d.conv(d.act(d.batchnorm(x), act), out), "AveragePool", 2, 2)


def shuffle(d: Draft, x: str, act: str = "relu", group: int = 1) -> str:
    """Half of the channels go through a branch; then channels are shuffled."""
    _, c, h, w = d.shapes[x]
    half = c // 2
    a, y = d.parts(x, [half, c - half])
    inner = c - half
    g = group if inner % group == 0 else 1
    y = d.act(d.conv(y, inner, group=g), act)
    y = d.act(d.conv(d.conv(y, inner, 3, 1, inner), inner, group=g), act)
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


def branches(d: Draft, x: str, out: int, stride: int = 1, group: int = 1, act: str = "relu") -> str:
    """Branches that are trained apart and added up: windows of two sizes, and a normalisation where shapes allow."""
    c = d.shapes[x][1]
    y = d.binary("Add", d.conv(x, out, 3, stride, group), d.conv(x, out, 1, stride, group))
    if stride == 1 and out == c:
        y = d.binary("Add", y, d.batchnorm(x))
    return d.act(y, act)


def partial(d: Draft, x: str, act: str = "relu") -> str:
    """A convolution of a quarter of the channels, then two products, with what went in added."""
    c = d.shapes[x][1]
    some = max(1, c // 4)
    a, rest = d.parts(x, [some, c - some])
    y = d.concat([d.conv(a, some, 3), rest])
    return d.binary("Add", x, d.conv(d.act(d.conv(y, 2 * c), act), c))


def convnext(d: Draft, x: str, kernel: int = 7, expand: float = 4, act: str = "gelu", scale: bool = True,
             convs: bool = False, strips: bool = False) -> str:  # fmt: skip
    """A large depthwise window, a normalisation over channels, and two products."""
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


def group_norm(d: Draft, x: str) -> str:
    """As the exporter writes it: an instance normalisation of reshaped channels, then scale and shift."""
    _, c, h, w = d.shapes[x]
    y = d.reshape(x, (1, 1, c * h * w))
    y = d.op("InstanceNormalization", [y, d.weight((1,), 1), d.weight((1,), 1)], d.shapes[y])
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
    """A pooling."""
    return d.pool(x, kind, kernel, stride)


def resize(d: Draft, x: str, side: int, linear: bool = False) -> str:
    """An image of another side."""
    return d.resize(x, side, linear)


def head(d: Draft, x: str, hidden: int = 0, act: str = "relu", norm: bool = False,
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
    return d.linear(x, 1000)


TOKENS = ("transformer", "channels", "mlp_mixer", "class_token")
BLOCKS: dict[str, Callable[..., str]] = {
    f.__name__: f
    for f in (
        conv, inverted, bottleneck, basic, dense, transition, shuffle, ghost, inception, branches, partial, convnext,
        norm_conv, pool_mixer, pool, resize, tokens.merge, tokens.windows, tokens.transformer, tokens.channels,
        tokens.mlp_mixer, tokens.patches, tokens.class_token,
    )
} | {"head": head, "squeeze": squeeze, "eca": eca, "spatial": spatial}  # fmt: skip
