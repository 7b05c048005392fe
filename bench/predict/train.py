"""Measures what prediction needs: kernels alone, and a few networks end to end. Goes on where it was interrupted."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import ClassVar

from bench.backends.kernel import Kernel
from bench.base.errors import MeasureError, Unsupported
from bench.export import ensure
from bench.machine.environment import local
from bench.measure.probes import ProbeLaunch
from bench.measure.runner import Runner
from bench.plan.case import BackendRef, Plan, cross
from bench.plan.protocol import Protocol
from bench.plan.zoo import ModelRef
from bench.predict.predictor import calibrate
from bench.predict.sampler import samples
from bench.predict.table import Context, Network, Table, recall
from bench.rows.schema import Row

# One network of most families: between them they have the operators of the zoo, and take little time.
ANCHORS = (
    "shufflenetv2", "shufflenetv1", "mobilenetv1", "mobilenetv2:width=0.35", "mobilenetv3-small", "mnasnet:width=0.5",
    "squeezenet:version=1.1", "ghostnetv1:width=0.5", "pplcnet", "resnet18", "efficientnet-b0", "igcv3",
)  # fmt: skip
PASSES = 2  # processes that each kernel is timed in
SPARE = 2  # more runs for a kernel that was disturbed
SAMPLED = 120  # made-up convolutions, for shapes that no anchor has
BLOCK_MS, LEAST, COLD = 4.0, 4, 7
SAVE_S = 5.0
NETWORK = Protocol(launches=3, max_launches=3, rounds=3, block_ms=40.0, live=6, budget_s=30.0)
ATTEMPTS = 3  # times that a network whose measurement was disturbed is tried
WIDEST, MOST_ASIDE = 0.15, 0.7  # half-width of a 95% interval of 3 launches, and share of disturbed blocks, at most
Tell = Callable[[str], None]


class PredictLaunch(ProbeLaunch):
    """The prediction's worker."""

    module: ClassVar[str] = "bench.predict.worker"

    def kernels_of(self, path: str) -> tuple[list[Kernel], tuple[str, ...]]:
        """Return the kernels of a model, and what could not be cut out."""
        found = self.ask("list", path=path)
        return [Kernel.read(row) for row in found["kernels"]], tuple(found["lost"])

    def time_kernel(self, kernel: Kernel) -> dict[str, float | str]:
        """Time one kernel."""
        return self.ask("kernel", kernel=kernel.record(), block_ms=BLOCK_MS, least=LEAST, cold=COLD)


def refuse(backend: BackendRef) -> None:
    """Raise Unsupported for a backend whose kernels cannot be timed alone."""
    if backend.name != "onnxruntime":
        raise Unsupported(
            f"latency on {backend.name} cannot be predicted: its fused operators cannot be run alone",
            "onnxruntime can be predicted; `bench run` measures the others",
        )


def context(backend: BackendRef, threads: int) -> Context:
    """Say what is measured, without importing the runtime.

    Raises:
        Unsupported: the runtime is in another interpreter, so that its version is not known.
    """
    from importlib.metadata import version

    if backend.python:
        raise Unsupported("prediction does not reach a runtime in another interpreter", "leave python= out")
    return Context.of(local(), backend.canonical, version(backend.name), threads)


def train(
    table: Table,
    backend: BackendRef,
    models: Sequence[ModelRef],
    tell: Tell,
    passes: int = PASSES,
    sampled: int = SAMPLED,
) -> None:
    """Measure whatever `table` lacks of kernels and networks, save it as it grows, and calibrate at the end."""
    plan = plan_of(models, backend, table.context.threads)
    list_networks(table, plan, backend, tell)
    if sampled:
        list_samples(table, backend, sampled)
    time_kernels(table, backend, tell)
    time_networks(table, plan, tell)
    table.calibration = calibrate(table, told=tell)
    table.save()


def plan_of(models: Sequence[ModelRef], backend: BackendRef, threads: int, batch: int = 1) -> Plan:
    """Return the plan that measures networks end to end."""
    return cross(models, [backend], (threads,), (batch,), protocol=NETWORK)


def list_networks(table: Table, plan: Plan, backend: BackendRef, tell: Tell) -> None:
    """Read the kernels of every network that the table does not have, or has with other weights."""
    artifacts = {case.id: ensure(case.network, on_export=lambda: tell("exporting")) for case in plan.cases}
    names = {case.id: str(case.network) for case in plan.cases}
    todo = []
    for case in plan.cases:
        there = table.networks.get(names[case.id])
        if there is None or there.lost or there.sha256 != artifacts[case.id].sha256:
            todo.append(case)
    if not todo:
        return
    with PredictLaunch(backend, table.context.threads) as launch:
        launch.start()
        for case in todo:
            tell(f"reading the graph of {case.model.canonical}")
            artifact = artifacts[case.id]
            kernels, lost = launch.kernels_of(str(artifact.path))
            keys = tuple(table.add(kernels))
            family = case.model.source if case.model.kind == "zoo" else case.model.canonical
            name = names[case.id]
            table.networks[name] = Network(name, keys, lost, artifact.macs, sha256=artifact.sha256, family=family)
    table.save()


def list_samples(table: Table, backend: BackendRef, number: int, seed: int = 0) -> None:
    """Read the kernels of made-up graphs."""
    with tempfile.TemporaryDirectory(prefix="bench-samples-") as folder:
        paths = samples(Path(folder), number, seed)
        with PredictLaunch(backend, table.context.threads) as launch:
            launch.start()
            for path in paths:
                table.add(launch.kernels_of(str(path))[0])


def time_kernels(
    table: Table,
    backend: BackendRef,
    tell: Tell,
    passes: int = PASSES,
    deadline: float = float("inf"),
    only: Collection[str] | None = None,
) -> bool:
    """Time every kernel (or those of the keys `only`) in as many fresh processes as `passes`.

    Tells whether that was done before the deadline.
    """
    wanted = [t for key, t in table.timings.items() if only is None or key in only]
    for turn in range(passes + SPARE):
        usual = table.usual_gemm_ns
        todo = [
            timing
            for timing in wanted
            if not timing.failed
            and not timing.kernel.moves_nothing
            and len(timing.quiet_runs(usual)) < min(turn + 1, passes)
            and len(timing.runs) < passes + SPARE
        ]
        if turn >= passes and todo:
            tell(f"kernels: {len(todo)} were disturbed, once more")
        done, saved = 0, time.monotonic()
        while done < len(todo):
            with PredictLaunch(backend, table.context.threads) as launch:
                launch.start()
                try:
                    while done < len(todo):
                        if time.monotonic() > deadline:
                            table.save()
                            return False
                        timing = todo[done]
                        if done % 20 == 0:
                            tell(f"kernels: pass {turn + 1}, {done} of {len(todo)}")
                        found = launch.time_kernel(timing.kernel)
                        done += 1
                        if "failed" in found:
                            timing.failed = str(found["failed"])
                        else:
                            timing.runs.append({k: float(v) for k, v in found.items()})
                        if time.monotonic() > saved + SAVE_S:
                            table.save()
                            saved = time.monotonic()
                except MeasureError as error:  # the process died of this kernel; the next goes on in a new one
                    todo[done].failed = error.message
                    done += 1
        table.save()
    return True


def time_networks(table: Table, plan: Plan, tell: Tell, deadline: float = float("inf"), save: bool = True) -> bool:
    """Measure every network of the plan that has no latency yet; tell whether that was done before the deadline."""
    for _ in range(ATTEMPTS):
        todo = [case for case in plan.cases if table.networks[str(case.network)].latency_ns is None]
        for i in range(0, len(todo), plan.protocol.live):
            if time.monotonic() > deadline:
                return False
            group = Plan(tuple(todo[i : i + plan.protocol.live]), plan.protocol)
            names = {case.id: str(case.network) for case in group.cases}
            tell(f"networks: {i} of {len(todo)}")
            for row in Runner(group).run():
                if row.status not in ("ok", "noisy") or row.latency_ms is None:
                    raise MeasureError(f"{row.model} could not be measured: {row.error}", "leave it out of --anchor")
                if undisturbed(row):
                    table.networks[names[row.case_id]].latency_ns = row.latency_ms * 1e6
            if save:
                table.save()
    lost = [case.model.canonical for case in plan.cases if table.networks[str(case.network)].latency_ns is None]
    if lost:
        tell(f"the machine was never quiet enough for {', '.join(lost)}: run it again\n")
    return not lost


def undisturbed(row: Row) -> bool:
    """Tell whether a network's latency is good enough to train on."""
    if row.latency_ms is None or row.latency_lo_ms is None or row.latency_hi_ms is None:
        return False
    half = (row.latency_hi_ms - row.latency_lo_ms) / 2 / row.latency_ms
    return half <= WIDEST and (row.set_aside or 0.0) < MOST_ASIDE


def known(backend: BackendRef, threads: int) -> Table:
    """Return the table of this machine."""
    return recall(context(backend, threads))
