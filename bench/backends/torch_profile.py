"""torch.profiler: time per top-level ATen operator on the CPU, time of the kernels each one launches on CUDA.

On the CPU every event costs about two microseconds and most operators are four events deep, so the cost of an event is
found on the network itself: profiled against unprofiled inferences, in turns, over the number of events. All events
but the outermost one's own lie wholly inside the operator's time; of that one, half is taken to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.backends.loop import time_block
from bench.backends.profiling import ProfilerCost, RawProfile, TimedOperator, middle
from bench.base.errors import MeasureError

if TYPE_CHECKING:
    from torch.autograd.profiler_util import FunctionEvent, Kernel

WARMUP = 3
ROUNDS = 5
PER_BLOCK = 3
# What torch.compile wraps around the operators that it runs.
CONTAINERS = ("Torch-Compiled Region", "CompiledFunction", "Call CompiledFxGraph", "TorchDynamo", "## Call")


class TorchProfiler:
    """Profiles the session's own module: torch's profiler can be switched on and off."""

    def __init__(self, infer: Callable[[], None], cuda: bool) -> None:
        self._infer, self._cuda = infer, cuda
        self._inferences: list[list[FunctionEvent]] = []
        self._profiled(WARMUP)

    def block(self, n: int) -> list[int]:
        """Run `n` profiled inferences in one profile."""
        latencies, found = self._profiled(n)
        self._inferences += found
        return latencies

    def read(self) -> RawProfile:
        """Join the events of all inferences, operator by operator."""
        sequences = {tuple(event.name for event in inference) for inference in self._inferences}
        if len(sequences) != 1:
            raise MeasureError("the operators of torch differ from one inference to the next: nothing to add up")
        operators = [
            self._operator(i, [inference[i] for inference in self._inferences]) for i in range(len(self._inferences[0]))
        ]
        return RawProfile(tuple(operators), self._calibrate(sum(_count(e) for e in self._inferences[0])))

    def _profiled(self, n: int) -> tuple[list[int], list[list[FunctionEvent]]]:
        from torch.profiler import ProfilerActivity, profile

        logging.getLogger("torch").setLevel(logging.ERROR)
        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if self._cuda else [])
        with profile(activities=activities, record_shapes=True) as running:
            latencies = time_block(self._infer, n)[0]
        tops = [e for e in running.events() if e.cpu_parent is None and _on_host(e)]
        tops = [e for top in sorted(tops, key=lambda e: e.time_range.start) for e in _unwrapped(top)]
        tops = [e for e in tops if e.name.startswith(("aten::", "triton", "mkldnn", "cpp_", "inductor"))]
        if not tops or len(tops) % n:
            raise MeasureError(f"torch told {len(tops)} operators in {n} equal inferences: nothing to add up")
        size = len(tops) // n
        return latencies, [tops[i * size : (i + 1) * size] for i in range(n)]

    def _calibrate(self, events: int) -> ProfilerCost:
        if self._cuda:  # kernels are timed by the device
            return ProfilerCost(0.0, 0.0, 0.0, 1000.0)
        plain: list[float] = []
        profiled: list[float] = []
        for _ in range(ROUNDS):
            plain += time_block(self._infer, PER_BLOCK)[0]
            profiled += self._profiled(PER_BLOCK)[0]
        cost = max(0.0, (middle(profiled) - middle(plain)) / events)
        return ProfilerCost(cost, cost, 0.0, 1.0)

    def _operator(self, number: int, events: list[FunctionEvent]) -> TimedOperator:
        first = events[0]
        shapes = tuple(tuple(shape) for shape in first.input_shapes or () if shape)
        name = first.name.removeprefix("aten::")
        weight, group = (), 1
        if name.startswith(("conv", "linear", "addmm", "mm")) and len(shapes) > 1:
            weight = shapes[2] if name == "addmm" and len(shapes) > 2 else shapes[1]
            concrete = getattr(first, "concrete_inputs", None) or []
            group = concrete[6] if name == "conv2d" and len(concrete) > 6 and concrete[6] else 1
        kernels = [kernel.name for kernel in _kernels(first)] if self._cuda else [_deepest(first).name]
        times = [sum(k.duration for k in _kernels(e)) if self._cuda else e.cpu_time_total for e in events]
        return TimedOperator(
            name=f"{name}.{number}",
            kind=name,
            raw_ns=[time * 1e3 for time in times],
            weight=weight,
            group=int(group),
            implementation=", ".join(dict.fromkeys(kernels)),
            shapes_in=shapes,
            events=_count(first) - 0.5,
        )


def _on_host(event: FunctionEvent) -> bool:
    return str(event.device_type).endswith("CPU")


def _unwrapped(event: FunctionEvent) -> list[FunctionEvent]:
    """Return the event, or what is in it where it is only torch.compile's wrapping."""
    if not event.name.startswith(CONTAINERS):
        return [event]
    return [inner for child in event.cpu_children for inner in _unwrapped(child)]


def _count(event: FunctionEvent) -> int:
    return 1 + sum(_count(child) for child in event.cpu_children)


def _kernels(event: FunctionEvent) -> list[Kernel]:
    return [*event.kernels, *(kernel for child in event.cpu_children for kernel in _kernels(child))]


def _deepest(event: FunctionEvent) -> FunctionEvent:
    """Follow the child that takes longest: the last one is the kernel, as far as torch tells."""
    while event.cpu_children:
        event = max(event.cpu_children, key=lambda child: child.cpu_time_total)
    return event
