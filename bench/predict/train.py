"""Measures what prediction needs: kernels, and networks end to end. Goes on where it was interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from bench import backends
from bench.base.errors import Unsupported
from bench.export import ensure
from bench.measure.engine import anew
from bench.measure.launch import version_of
from bench.plan.case import BackendRef, Case, Plan, cross
from bench.plan.protocol import TRAINING
from bench.plan.zoo import ModelRef
from bench.predict.calibration import calibrate
from bench.predict.campaign import SHORT_S, Campaign, time_one
from bench.predict.place import Place
from bench.predict.predictor import NotTrained, ready
from bench.predict.table import Calibration, Context, KernelList, KernelTable
from bench.transport.base import Transport

# One network of most families: between them they have the operators of the zoo, and take little time. A long training
# measures the others, too.
ANCHORS = (
    "shufflenetv2", "shufflenetv1", "mobilenetv1", "mobilenetv2:width=0.35", "mobilenetv3-small", "mnasnet:width=0.5",
    "squeezenet:version=1.1", "ghostnetv1:width=0.5", "pplcnet", "resnet18", "efficientnet-b0", "igcv3",
)  # fmt: skip
MORE = (
    "densenet", "ghostnetv2", "resnet50", "resnext", "mobilenetv3", "mobilenetv2", "shufflenetv2:width=0.5", "nasnet",
    "pplcnet:width=0.25", "condensenet", "inceptionv3", "xception",
)  # fmt: skip
SAVE_S = 5.0
Tell = Callable[[str], None]


def refuse(backend: BackendRef) -> None:
    """Raise Unsupported for a backend the times of whose kernels nobody can tell."""
    if not predictable(backend.name):
        able = [b.name for b in backends.working() if predictable(b.name)]
        raise Unsupported(
            f"latency on {backend.name} cannot be predicted: its operators cannot be run alone, and it tells no times",
            f"{', '.join(able)} can be predicted; `bench run` measures the others",
        )


def predictable(backend: str) -> bool:
    """Tell whether a backend's kernels can be timed alone, or their times are told by the runtime."""
    able = backends.get(backend).capabilities
    return able.kernels or able.kernel_times


def context(backend: BackendRef, threads: int, transport: Transport) -> Context:
    """Say what is measured: the device, as it describes itself, and the version of the runtime there.

    Raises:
        Unsupported: the runtime is not there.
    """
    found = version_of(backend, transport)
    if not found:
        raise Unsupported(f"{backend.canonical} has no runtime there", backends.get(backend.name).install_hint())
    return Context.of(transport.environment(), backend.canonical, found, threads)


def train(
    table: KernelTable,
    backend: BackendRef,
    models: Sequence[ModelRef],
    tell: Tell,
    place: Place | None = None,
    budget_s: float = SHORT_S,
    early: int | None = None,
) -> None:
    """Measure kernels and networks for so many seconds in all, those of earlier calls included, and calibrate.

    The first `early` models (all, if None) are measured from the start, the others after two minutes. Exports are made
    before, and are not counted.
    """
    place = place or Place()
    plan = plan_of(models, backend, table.context.threads)
    for case in plan.cases:
        ensure(case.network, on_export=lambda: tell("exporting"))

    def listing(cases: Sequence[Case]) -> None:
        list_networks(table, replace(plan, cases=tuple(cases)), backend, tell, place)

    told = not backends.get(backend.name).capabilities.kernels
    Campaign(table, plan, len(plan.cases) if early is None else early, told, tell, place).run(budget_s, listing)
    ready(table)
    table.calibration = checked(table, tell)
    table.save()


def checked(table: KernelTable, tell: Tell) -> list[Calibration]:
    """Return how wrong predictions are (see `calibrate`), or nothing where too little was timed to say.

    After a short training the networks that were measured may share their kernels with no other: with one family left
    out, nothing is left to predict from. Intervals are then as wide as is believed without a calibration.
    """
    try:
        return calibrate(table, told=tell)
    except NotTrained:
        return []


def plan_of(models: Sequence[ModelRef], backend: BackendRef, threads: int, batch: int = 1) -> Plan:
    """Return the plan that measures networks end to end."""
    return cross(models, [backend], (threads,), (batch,), protocol=TRAINING)


def list_networks(
    table: KernelTable, plan: Plan, backend: BackendRef, tell: Tell, place: Place | None = None, save: bool = True
) -> None:
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
    place = place or Place()
    with place.probes(table, backend) as probes:
        for case in todo:
            tell(f"reading the graph of {case.model.canonical}")
            artifact = artifacts[case.id]
            folder = anew(place.transport, partial(place.transport.upload, artifact, backend.name))
            found = probes.kernels(artifact=folder)
            keys = tuple(table.add(found.kernels))
            family = case.model.source if case.model.kind == "zoo" else case.model.canonical
            name = names[case.id]
            listed = KernelList(name, keys, found.lost, artifact.macs, sha256=artifact.sha256, family=family)
            table.networks[name] = listed
    if save:
        table.save()


def time_kernels(
    table: KernelTable,
    backend: BackendRef,
    tell: Tell,
    deadline: float = float("inf"),
    only: Collection[str] | None = None,
    place: Place | None = None,
) -> bool:
    """Time every kernel (or those of the keys `only`) in as many fresh processes as the protocol has passes.

    Tells whether that was done before the deadline. What a process dies of has failed, and the next kernel gets a new
    one.
    """
    place = place or Place()
    how = place.protocol
    wanted = [t for key, t in table.timings.items() if only is None or key in only]
    saved = time.monotonic()
    table.guesses.clear()  # they were made without what is timed now
    for turn in range(how.passes + how.spare):
        baseline_ns = table.baseline_gemm_ns
        todo = [
            timing
            for timing in wanted
            if not timing.failed
            and not timing.kernel.moves_nothing
            and len(timing.quiet_runs(baseline_ns)) < min(turn + 1, how.passes)
            and len(timing.runs) < how.passes + how.spare
        ]
        if not todo:
            continue
        if turn >= how.passes:
            tell(f"kernels: {len(todo)} were disturbed, once more")
        with place.probes(table, backend) as probes:
            for done, timing in enumerate(todo):
                if time.monotonic() > deadline:
                    table.save()
                    return False
                if done % 20 == 0:
                    tell(f"kernels: pass {turn + 1}, {done} of {len(todo)}")
                time_one(table, timing.kernel.key, probes, how)
                if time.monotonic() > saved + SAVE_S:
                    table.save()
                    saved = time.monotonic()
        table.save()
    return True
