"""One reason why operators take long, and the words and figures that reasons have in common."""

from __future__ import annotations

from dataclasses import dataclass

from bench.base.words import plural
from bench.graph.classes import OpClass
from bench.profiling.network import ProfiledNetwork, ProfiledOperator, total_ms
from bench.profiling.roofs import Roof

MEMORY_SHARE = 0.5  # of the time: from here on the bytes explain it


@dataclass(frozen=True, slots=True)
class Statement:
    """One reason: the `ms` at stake, the operators it speaks of (by index), and in `figures` what its text says.

    `tag` names it beside an operator.
    """

    key: str
    tag: str
    ms: float
    text: str
    operators: frozenset[int] = frozenset()
    figures: tuple[tuple[str, float], ...] = ()

    def record(self, network: ProfiledNetwork) -> dict[str, object]:
        """Return plain data, with the operators' names."""
        return {
            "key": self.key,
            "ms": self.ms,
            "share": self.ms / network.latency_ms,
            "text": self.text,
            "figures": dict(self.figures),
            "operators": [op.name for op in network.pick(sorted(self.operators))],
        }


def told(op: ProfiledOperator) -> str:
    """Say what an operator is: its class, and for a convolution its channels and pixels."""
    if op.op_class.family == "convolution" and len(op.weight) == 4 and len(op.shape_out) == 4:
        kernel = "x".join(map(str, op.weight[2:]))
        where = f"{op.shape_out[2]}x{op.shape_out[3]}"
        return f"{op.op_class} {op.weight[1] * op.group} > {op.weight[0]}, {kernel} to {where}"
    return f"{op.op_class} {'x'.join(map(str, op.shape_out))}".rstrip()


def intensity(ops: list[ProfiledOperator], roof: Roof) -> tuple[str, tuple[tuple[str, float], ...]]:
    """Say on which side of the ridge operators lie together."""
    moved = sum(op.moved_bytes for op in ops)
    if not moved:
        return "the bytes they move are not known", ()
    found, ridge = sum(op.macs for op in ops) / moved, roof.ridge(ops)
    bytes_ms = sum(roof.memory_us(op) for op in ops) / 1e3
    figures = (("macs_per_byte", found), ("ridge", ridge), ("bytes_ms", bytes_ms))
    ms = total_ms(ops)
    if found >= ridge:
        bound = f"{found:.2g} MACs per byte, so not memory (it bounds under {ridge:.2g})"
        return f"{bound} but the kernel's rate: {rate_of(ops):.1f} GMAC/s", figures
    bound = f"{found:.2g} MACs per byte (memory bounds under {ridge:.2g})"
    if bytes_ms >= MEMORY_SHARE * ms:
        return f"{bound}: the bytes alone need {bytes_ms:.2f} of {ms:.2f} ms", figures
    rest = f"but the bytes need only {bytes_ms:.2f} of {ms:.2f} ms: the kernel reaches {rate_of(ops):.1f} GMAC/s"
    return f"{bound}, {rest}", figures


def beyond_ms(ops: list[ProfiledOperator], roof: Roof) -> float:
    """Return the time beyond what the MACs take at the peak, in ms."""
    return max(0.0, total_ms(ops) - sum(roof.compute_us(op) for op in ops) / 1e3)


def rate_of(ops: list[ProfiledOperator]) -> float:
    """Return the GMAC/s that operators reach together."""
    return sum(op.macs for op in ops) / sum(op.time_us for op in ops) / 1e3


def named(what: str, n: int) -> str:
    """Name a class of operators or a thing, one or several."""
    names = {
        OpClass.DEPTHWISE: "depthwise convolution",
        OpClass.POINTWISE: "1x1 convolution",
        OpClass.GROUPED: "grouped convolution",
        OpClass.DENSE: "dense convolution",
        OpClass.TRANSPOSED: "transposed convolution",
        OpClass.MATMUL: "matrix product",
        OpClass.ACTIVATION: "activation",
    }
    name = {str(k): v for k, v in names.items()}.get(str(what), str(what))
    counts = name.split()[-1] in ("convolution", "product", "activation", "operator", "block", "reorder")
    return plural(name, n) if counts else name
