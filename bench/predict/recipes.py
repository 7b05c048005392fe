"""Draws made-up networks: what to time so that no real network is far from all of it.

Each is of a kind of network (mobile, residual, ConvNeXt, transformer, hybrid, ...) with widths, depths, windows and
resolutions around those that published networks of that kind have, and as few blocks of each stage as show every
kernel in it. What a block becomes is decided by the runtime: its own optimised graph is cut into kernels.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Recipe = dict[str, Any]
SIDES = ((224, 60), (160, 5), (192, 8), (256, 15), (288, 5), (128, 3), (299, 4))
ACTS = (("relu", 30), ("relu6", 15), ("hardswish", 20), ("silu", 25), ("gelu", 5), ("erf-gelu", 5))


def recipe(number: int, seed: int = 0) -> Recipe:
    """Return one made-up network, the same for the same number and seed; kinds take turns."""
    rng = random.Random(f"{seed}-{number}")
    kind = ORDER[number % len(ORDER)]
    blocks = KINDS[kind](rng)
    blocks[-1]["pool"] = rng.random() < 0.4
    side = 224 if kind in ("vit", "windows", "mixer") and rng.random() < 0.7 else _weighted(rng, SIDES)
    if kind == "convnext":
        side = min(side, 256)
    if kind in ("windows", "hybrid"):
        side = side // 32 * 32
    return {"name": f"made {seed}-{number} {kind}", "kind": kind, "side": side, "blocks": blocks}


def mobile(rng: random.Random) -> list[Recipe]:
    """Inverted residuals, with or without channel attention, as MobileNet V2 and V3, EfficientNet, MnasNet, TinyNet."""
    act, scale = _weighted(rng, ACTS), rng.choice((0.35, 0.5, 0.75, 1.0, 1.0, 1.0, 1.2, 1.4))
    attention = rng.choice(("", "se", "se", "pooled se", "eca"))
    gate = "hardsigmoid" if act == "hardswish" else "sigmoid"
    stem = _wide(16 + 16 * rng.randrange(2), scale)
    blocks: list[Recipe] = [{"block": "conv", "out": stem, "stride": 2, "act": act}]
    blocks.append({"block": "inverted", "out": _wide(16, scale), "expand": 1, "act": act})
    mix = rng.choice((0, 0, 0, 0, 2, 3, 4))
    for i, base in enumerate((24, 40, 80, 112, 192)):
        width = _wide(base * rng.choice((0.8, 1.0, 1.0, 1.15)), scale, rng)
        given = {"kernel": rng.choice((3, 3, 5, 5, 7)), "expand": rng.choice((2.5, 3, 4, 6, 6)), "act": act,
                 "attention": attention if rng.random() < 0.8 else "", "gate": gate,
                 "reduce": rng.choice((4, 4, 24)), "mix": mix if rng.random() < 0.5 else 0}  # fmt: skip
        stride = 1 if i == 3 else 2
        blocks += [{"block": "inverted", "out": width, "stride": stride, **given}]
        blocks += [{"block": "inverted", "out": width, **given | {"expand": rng.choice((3, 4, 6))}}] * rng.randint(1, 2)
    return [*blocks, {"block": "head", "hidden": _wide(1280, max(1.0, scale)), "act": act}]


def residual(rng: random.Random) -> list[Recipe]:
    """Bottlenecks and basic blocks: ResNet, ResNeXt, SE and ECA variants, Wide ResNet, RegNet."""
    regular = rng.random() < 0.45
    act = rng.choice(("relu", "relu", "relu", "silu", "leaky"))
    attention = rng.choice(("", "", "se", "pooled se", "eca")) if not regular else rng.choice(("", "se", "pooled se"))
    plain = not regular and rng.random() < 0.35
    group_width = rng.choice((8, 16, 24, 40, 48, 56, 64)) if regular else 0
    if regular:
        first = rng.choice((24, 32, 48, 56, 64, 80))
        widths = [first]
        for _ in range(3):
            widths.append(round(widths[-1] * rng.uniform(1.6, 2.5) / group_width) * group_width or group_width)
    else:
        base = rng.choice((32, 40, 48, 64, 64, 64))
        widths = [base * m * (1 if plain else 4) for m in (1, 2, 4, 8)]
    blocks: list[Recipe] = [{"block": "conv", "out": 32 if regular else rng.choice((32, 64)),
                             "kernel": 3 if regular else rng.choice((3, 7)), "stride": 2, "act": act}]  # fmt: skip
    if not regular:
        if rng.random() < 0.3:
            blocks += [{"block": "conv", "out": o, "act": act} for o in (32, 64)]
        blocks.append({"block": "pool", "kind": "MaxPool", "kernel": 3, "stride": 2})
    cardinality = rng.choice((1, 1, 1, 32, 16, 8))
    for i, width in enumerate(widths):
        stride = 2 if i or regular else 1
        if plain:
            row: Recipe = {"block": "basic", "out": width, "act": act, "attention": attention}
        elif regular:
            width = max(group_width, round(width / group_width) * group_width)
            row = {"block": "bottleneck", "out": width, "ratio": 1.0, "group": max(1, width // group_width), "act": act,
                   "attention": attention}  # fmt: skip
        else:
            row = {"block": "bottleneck", "out": width, "ratio": 0.5 if cardinality == 32 else 0.25,
                   "group": cardinality, "act": act, "attention": attention, "pooled": rng.random() < 0.3}  # fmt: skip
            if i > 1 and rng.random() < 0.1:
                row["dilation"] = 2
        blocks += [row | {"stride": stride}, *([row] * rng.randint(1, 2))]
    return [*blocks, {"block": "head"}]


def next_style(rng: random.Random) -> list[Recipe]:
    """Large depthwise windows with normalisation over channels: ConvNeXt and what followed."""
    base = rng.choice((24, 32, 40, 48, 64, 80, 96))
    row: Recipe = {"block": "convnext", "kernel": rng.choice((3, 5, 7, 7, 7, 9, 11)), "expand": rng.choice((3, 4, 4)),
                   "act": rng.choice(("gelu", "gelu", "erf-gelu", "erf-gelu", "relu", "tanh-gelu")),
                   "scale": rng.random() < 0.8, "convs": rng.random() < 0.3, "strips": rng.random() < 0.2}  # fmt: skip
    norm = rng.choice(("layer", "layer", "layer", "batch"))
    blocks: list[Recipe] = [{"block": "norm_conv", "out": base, "kernel": 4, "stride": 4, "norm": ""}]
    for i, m in enumerate((1, 2, 4, 8)):
        if i:
            blocks.append({"block": "norm_conv", "out": base * m, "kernel": 2, "stride": 2, "norm": norm})
        blocks += [row | ({"kernel": rng.choice((3, 5, 7, 9))} if rng.random() < 0.2 else {})] * rng.randint(1, 2)
    return [*blocks, {"block": "head", "norm": True}]


def vit(rng: random.Random) -> list[Recipe]:
    """Plain transformers: ViT, DeiT, CaiT-like, XCiT-like."""
    head = rng.choice((32, 48, 64, 64, 64))
    heads = rng.choice((2, 3, 4, 5, 6, 8, 12))
    width = head * heads
    if width > 768:
        heads = 768 // head
        width = head * heads
    patch = rng.choice((16, 16, 16, 32, 14, 8) if width <= 256 else (16, 16, 32, 14))
    row: Recipe = {"block": rng.choice(("transformer", "transformer", "transformer", "channels")), "heads": heads,
                   "expand": rng.choice((2, 3, 4, 4)),
                   "act": rng.choice(("gelu", "gelu", "erf-gelu", "erf-gelu", "silu"))}  # fmt: skip
    if row["block"] == "transformer":
        row |= {"scale": rng.random() < 0.3, "apart": rng.random() < 0.25}
    blocks: list[Recipe] = [{"block": "norm_conv", "out": width, "kernel": patch, "stride": patch, "norm": ""}]
    if rng.random() < 0.75:
        blocks.append({"block": "class_token"})
    return [*blocks, *([row] * rng.randint(2, 3)), {"block": "head"}]


def window(rng: random.Random) -> list[Recipe]:
    """Attention inside windows: Swin and the like."""
    head, first = rng.choice((24, 32, 32)), rng.choice((1, 2, 3))
    size, act = rng.choice((7, 7, 8, 14)), rng.choice(("gelu", "erf-gelu"))
    blocks: list[Recipe] = [{"block": "norm_conv", "out": head * first, "kernel": 4, "stride": 4, "norm": ""}]
    for i in range(4):
        if i:
            blocks.append({"block": "merge", "out": head * first * 2**i})
        row = {"block": "windows", "heads": first * 2**i, "window": size, "act": act, "bias": rng.random() < 0.9}
        blocks += [row | {"shift": j == 1} for j in range(rng.randint(1, 2))]
    return [*blocks, {"block": "head", "norm": True}]


def hybrid(rng: random.Random) -> list[Recipe]:
    """Convolutions first, attention later: MobileViT, EdgeNeXt, EfficientFormer, PoolFormer, FastViT."""
    act, base = rng.choice(("silu", "gelu", "erf-gelu", "hardswish", "relu")), rng.choice((16, 24, 32, 48))
    blocks: list[Recipe] = [{"block": "conv", "out": base, "stride": 2, "act": act}]
    kinds = rng.choice((("patches",), ("channels", "convnext"), ("transformer", "pool_mixer"), ("pool_mixer",),
                        ("branches", "transformer"), ("windows", "convnext")))  # fmt: skip
    for i, m in enumerate((2, 3, 5, 8)):
        width = (base * m + 15) // 16 * 16
        if rng.random() < 0.5:
            blocks.append({"block": "inverted", "out": width, "stride": 2, "act": act, "expand": rng.choice((2, 3, 4))})
        else:
            blocks.append({"block": "norm_conv", "out": width, "kernel": rng.choice((2, 3)), "stride": 2,
                           "norm": rng.choice(("layer", "", "group"))})  # fmt: skip
        for _ in range(rng.randint(1, 2)):
            late = i >= 2
            kind = kinds[0] if late or (len(kinds) == 1 and i) else kinds[-1]
            heads = next(h for h in (4, 8, 2, 1) if width % h == 0)
            if not late and kind in ("transformer", "channels", "patches", "windows"):
                kind = "inverted"
            choice: dict[str, Recipe] = {
                "inverted": {"block": "inverted", "out": width, "act": act, "expand": 3},
                "patches": {"block": "patches", "heads": heads, "depth": 1, "width": width, "act": act},
                "channels": {"block": "channels", "heads": heads, "act": "gelu"},
                "convnext": {"block": "convnext", "kernel": rng.choice((3, 5, 7, 9)), "act": act},
                "transformer": {"block": "transformer", "heads": heads, "act": act, "expand": rng.choice((2, 4))},
                "windows": {"block": "windows", "heads": heads, "window": 7, "act": act},
                "pool_mixer": {"block": "pool_mixer", "act": act, "expand": rng.choice((2, 4))},
                "branches": {"block": "branches", "out": width, "act": act, "group": rng.choice((1, width))},
            }  # fmt: skip
            blocks.append(choice[kind])
    return [*blocks, {"block": "head"}]


def joined(rng: random.Random) -> list[Recipe]:
    """Concatenations: DenseNet, Inception, VoVNet, GhostNet, SqueezeNet, CSP."""
    act = rng.choice(("relu", "relu", "silu", "hardswish", "leaky"))
    kind = rng.choice(("dense", "inception", "ghost", "shuffle", "ghost"))
    base = rng.choice((24, 32, 48, 64))
    blocks: list[Recipe] = [{"block": "conv", "out": base, "stride": 2, "act": act, "kernel": rng.choice((3, 7))},
                            {"block": "pool"}]  # fmt: skip
    growth, width = rng.choice((12, 16, 24, 32, 48)), base
    for _i in range(3):
        if kind == "dense":
            layers = rng.randint(2, 4)
            blocks.append({"block": "dense", "growth": growth, "layers": layers, "act": act})
            width = (width + growth * layers) // 2
            blocks.append({"block": "transition", "out": width, "act": act})
            continue
        width = round(width * rng.uniform(1.3, 2.2) / 8) * 8
        if kind == "inception":
            blocks += [{"block": "inception", "out": width, "act": act, "long": rng.choice((3, 5, 7))}] * 2
            blocks.append({"block": "pool", "kernel": 3, "stride": 2})
        elif kind == "ghost":
            odd = width if rng.random() < 0.6 else width + 2
            blocks.append({"block": "ghost", "out": odd, "act": act, "kernel": rng.choice((3, 5))})
            blocks.append({"block": "conv", "out": odd, "stride": 2, "group": odd, "act": "none"})
            if rng.random() < 0.6:
                blocks.append({"block": "squeeze", "to": max(4, odd // 4), "gate": "hardsigmoid"})
            blocks.append({"block": "ghost", "out": width, "act": "none"})
        else:
            blocks += [{"block": "conv", "out": width, "stride": 2, "act": act},
                       {"block": "shuffle", "act": act, "group": rng.choice((1, 1, 2, 4))}]  # fmt: skip
    return [*blocks, {"block": "head", "hidden": rng.choice((0, 512, 1024)), "act": act}]


def plain(rng: random.Random) -> list[Recipe]:
    """Stacks of convolutions: VGG, RepVGG, MobileOne, MobileNet V1, FasterNet, DLA, dilated and resized ones."""
    act, kind = rng.choice(("relu", "relu", "silu")), rng.choice(("vgg", "rep", "separable", "partial", "dilated"))
    width = rng.choice((16, 24, 32, 48, 64))
    blocks: list[Recipe] = [{"block": "conv", "out": width, "stride": 2, "act": act}]
    for i in range(4):
        more = _wide(width * rng.choice((1.5, 2, 2)), 1.0, rng)
        more = min(more, 1024)
        attended: list[Recipe] = [{"block": rng.choice(("squeeze", "spatial", "eca"))}] if rng.random() < 0.2 else []
        attended = [a | ({"to": max(8, more // 16)} if a["block"] == "squeeze" else {}) for a in attended]
        if kind == "vgg":
            blocks += [
                {"block": "conv", "out": more, "act": act, "bn": rng.random() < 0.2},
                {"block": "pool", "kernel": 2},
            ]
        elif kind == "rep":
            group = rng.choice((1, 1, 4))
            group = group if width % group == 0 and more % group == 0 else 1
            blocks += [{"block": "branches", "out": more, "stride": 2, "act": act, "group": group},
                       {"block": "branches", "out": more, "act": act},
                       {"block": "branches", "out": more, "act": act, "group": more}]  # fmt: skip
        elif kind == "separable":
            for stride in (2, 1):
                blocks += [{"block": "conv", "out": width, "stride": stride, "group": width, "act": act,
                            "kernel": rng.choice((3, 3, 5))},
                           {"block": "conv", "out": more, "kernel": 1, "act": act,
                            "bn": rng.random() < 0.1}]  # fmt: skip
                width = more
        elif kind == "partial":
            blocks += [{"block": "norm_conv", "out": more, "norm": "batch"}, {"block": "partial", "act": act}]
        else:
            blocks += [{"block": "conv", "out": more, "stride": 2 if i < 2 else 1, "act": act},
                       {"block": "conv", "out": more, "dilation": rng.choice((2, 4)), "act": act},
                       {"block": "basic", "out": more, "act": act, "bn": True}]  # fmt: skip
        blocks += attended
        width = more
    if kind == "dilated":
        blocks += [
            {"block": "conv", "out": 64, "kernel": 1},
            {"block": "resize", "side": 56, "linear": rng.random() < 0.5},
        ]
        blocks += [{"block": "conv", "out": 64}, {"block": "pool", "kind": "AveragePool", "kernel": 2, "stride": 2}]
    return [*blocks, {"block": "head", "act": act}]


def mixer(rng: random.Random) -> list[Recipe]:
    """Products over tokens and channels."""
    width, patch = rng.choice((192, 256, 384, 512, 768)), rng.choice((16, 16, 32))
    row = {
        "block": "mlp_mixer",
        "inner": width // 2,
        "expand": rng.choice((3, 4)),
        "act": rng.choice(("gelu", "erf-gelu")),
    }
    blocks: list[Recipe] = [{"block": "norm_conv", "out": width, "kernel": patch, "stride": patch, "norm": ""}]
    return [*blocks, *([row] * rng.randint(2, 3)), {"block": "head"}]


KINDS: dict[str, Callable[[random.Random], list[Recipe]]] = {
    "mobile": mobile, "residual": residual, "convnext": next_style, "vit": vit, "windows": window, "hybrid": hybrid,
    "joined": joined, "plain": plain, "mixer": mixer,
}  # fmt: skip
# The kinds by turns: as often as people ask about them.
ORDER = ("mobile", "residual", "convnext", "hybrid", "vit", "mobile", "joined", "residual", "plain", "windows",
         "mobile", "convnext", "hybrid", "residual", "vit", "mobile", "joined", "plain", "residual",
         "mixer")  # fmt: skip


def _weighted(rng: random.Random, pairs: tuple[tuple[Any, int], ...]) -> Any:
    return rng.choices([v for v, _ in pairs], [w for _, w in pairs])[0]


def _wide(width: float, scale: float, rng: random.Random | None = None) -> int:
    """Round a width as networks do: to a multiple of 8, and now and then not."""
    step = 8 if rng is None or rng.random() < 0.88 else rng.choice((1, 2, 4))
    return max(8, round(width * scale / step) * step)
