"""A machine whose kernels follow a law: what a predictor must find out from timings alone."""

from __future__ import annotations

import math
import random
from typing import Any

from onnx import TensorProto, helper

from bench.backends.kernel import Kernel, cut
from bench.predict.features import macs, moved_bytes, weight_bytes
from bench.predict.law import CROWD_BYTES, crowded
from bench.predict.table import Context, KernelList, KernelTable

CONTEXT = Context("scripted", "1", 1, "none", "nowhere")
LAW = (1.0, 0.3, 0.7, 900.0, 8000.0)  # of hot, of hot where crowded, of cold - hot, per kernel, once


def conv(side: int, c_in: int, c_out: int, window: int = 1, group: int = 1, name: str = "n") -> Kernel:
    node = helper.make_node(
        "Conv", [f"{name}x", f"{name}w"], [f"{name}y"], name, group=group, pads=[window // 2] * 4,
        kernel_shape=[window] * 2,
    )  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {
        f"{name}x": (1, c_in, side, side),
        f"{name}w": (c_out, c_in // group, window, window),
        f"{name}y": (1, c_out, side, side),
    }
    weight: Any = TensorProto(dims=shapes[f"{name}w"], data_type=1, name=f"{name}w")
    return cut(node, shapes, dict.fromkeys(shapes, 1), {f"{name}w": weight}, 17)


def view(side: int) -> Kernel:
    node = helper.make_node("Flatten", ["x"], ["y"])
    return cut(node, {"x": (1, side), "y": (1, side)}, {"x": 1, "y": 1}, {}, 17)


def hot_ns(kernel: Kernel) -> float:
    ragged = 1.5 if kernel.inputs[0].shape[1] % 16 else 1.0
    filled = 1 - math.exp(-kernel.inputs[1].shape[1] / 48)  # few input channels leave the lanes waiting
    return 800 + ragged * max(macs(kernel) / (40 * filled), moved_bytes(kernel) / 25)


def cold_ns(kernel: Kernel) -> float:
    return hot_ns(kernel) + weight_bytes(kernel) / 10


def draw(rng: random.Random) -> Kernel:
    window, side = rng.choice((1, 1, 3)), rng.choice((7, 14, 28, 56))
    channels = [rng.choice((4, 8, 16, 16)) * rng.randint(3, 20) for _ in range(2)]
    group = channels[0] if window == 3 and rng.random() < 0.5 else 1
    return conv(side, channels[0], channels[0] if group > 1 else channels[1], window, group)


def machine(families: int = 12, seed: int = 0, noise: float = 0.0, alone: int = 150) -> KernelTable:
    """Return a table of networks, three of each family, and kernels of none, all timed and measured by the law."""
    rng = random.Random(seed)
    table = KernelTable(CONTEXT)
    for family in range(families):
        common = [draw(rng) for _ in range(6)]
        for i in range(3):
            kernels = [*common, *(draw(rng) for _ in range(rng.randint(5, 25))), view(64 + family)]
            add(table, f"f{family}-{i}", kernels, rng, noise).family = f"f{family}"
    table.add([draw(rng) for _ in range(alone)])
    for timing in table.timings.values():
        if not timing.kernel.moves_nothing:
            timing.runs = [{"hot_ns": hot_ns(timing.kernel), "cold_ns": cold_ns(timing.kernel), "gemm_ns": 1000.0}]
    return table


def add(table: KernelTable, name: str, kernels: list[Kernel], rng: random.Random, noise: float = 0.0) -> KernelList:
    """Add a network and its latency by the law."""
    work = [k for k in kernels if not k.moves_nothing]
    hot, cold = sum(map(hot_ns, work)), sum(map(cold_ns, work))
    suffers = LAW[1] * crowded([(hot_ns(k), moved_bytes(k)) for k in work], CROWD_BYTES)
    latency = LAW[0] * hot + suffers + LAW[2] * (cold - hot) + LAW[3] * len(kernels) + LAW[4]
    network = KernelList(name, tuple(table.add(kernels)), latency_ns=latency * (1 + noise * rng.gauss(0, 1)))
    table.networks[name] = network
    return network


__all__ = ["CONTEXT", "LAW", "add", "cold_ns", "conv", "draw", "hot_ns", "machine", "view"]
