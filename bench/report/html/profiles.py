"""Where the time of networks goes: recorded profiles as classes of operators, and what their reasons say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.base.errors import BenchError, OutputError, clip
from bench.base.escape import clip_middle
from bench.profiling.network import ProfiledNetwork, load, total_ms

MOST = 60  # networks
NAME = 60  # characters of a bar's name
MOST_SENTENCES = 5
RESIDUAL = "residual"
LEAST_SHARE = 0.005  # a class below this share everywhere is put among the others


@dataclass(frozen=True)
class Profiled:
    """One profiled network: `parts` are class, family of classes, operators, ms and MACs; they add up to the latency.

    `sentences` are the time at stake and the statement. The parts include the residual, which may be negative. `which`
    tells inputs of one model apart.
    """

    model: str
    backend: str
    version: str
    precision: str
    threads: int
    cpu: str
    latency_ms: float
    parts: tuple[tuple[str, str, int, float, float], ...]
    sentences: tuple[tuple[str, str], ...]
    which: str = ""

    @property
    def name(self) -> str:
        """What its bar is called."""
        threads = f", {self.threads} threads" if self.threads != 1 else ""
        rest = clip(f" on {self.backend}{threads}", NAME // 2)
        return clip_middle(f"{self.model}{self.which}", NAME - len(rest)) + rest


def read(paths: Sequence[Path], strict: Sequence[str] = ()) -> tuple[tuple[Profiled, ...], tuple[str, ...]]:
    """Read profiles and what is to be said of them; returns them, and a note for each file that does not read.

    Raises:
        OutputError: one of `strict` does not read, because a person named it.
    """
    networks: dict[tuple[object, ...], ProfiledNetwork] = {}
    notes = []
    for path in paths:
        try:
            found, _ = load(path)
        except OutputError as error:
            if str(path) in strict:
                raise
            notes.append(clip(error.message, 160))
            continue
        for network in found:
            networks[network.model, network.resolution, network.batch, *network.runtime] = network
    inputs: dict[str, set[tuple[object, ...]]] = {}
    for network in networks.values():
        inputs.setdefault(network.model, set()).add((network.resolution, network.batch))
    done = sorted((_profiled(n, len(inputs[n.model]) > 1) for n in networks.values()), key=lambda p: p.latency_ms)
    if len(done) > MOST:
        notes.append(f"{len(done)} profiles; the {MOST} slowest are shown")
    return tuple(done[-MOST:]), tuple(notes)


def _profiled(network: ProfiledNetwork, several: bool) -> Profiled:
    from bench.profiling.reasons import reasons
    from bench.profiling.roofs import find

    parts = []
    for op_class in dict.fromkeys(op.op_class for op in network.operators):
        mine = [op for op in network.operators if op.op_class is op_class]
        parts.append((str(op_class), op_class.family, len(mine), total_ms(mine), float(sum(op.macs for op in mine))))
    parts.sort(key=lambda part: -part[3])
    parts.append((RESIDUAL, RESIDUAL, 0, network.residual_ms, 0.0))
    try:
        said = reasons(network, find([network]))
    except BenchError:
        said = []
    return Profiled(
        model=clip(network.model, 80),
        backend=clip(network.backend, 60),
        version=clip(network.version, 40),
        precision=clip(network.precision, 20),
        threads=network.threads,
        cpu=clip(network.cpu, 80),
        latency_ms=network.latency_ms,
        parts=tuple(parts),
        sentences=tuple((f"{s.ms:.2f} ms, {s.ms / network.latency_ms:.0%}", s.text) for s in said[:MOST_SENTENCES]),
        which=f" {network.resolution or '?'} px, batch {network.batch}" if several else "",
    )
