"""``bench predict``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench.base.words import counted
from bench.cli import options
from bench.plan.protocol import PRECISIONS
from bench.report.text.print import fleeting, print_records, say

if TYPE_CHECKING:
    from bench.plan.case import Case
    from bench.predict.predictor import Prediction, Predictor
    from bench.predict.table import KernelList, KernelTable

SHORT, FULL = "short", "full"
NAMED = 5  # unknown operators that are named in the line; all are in the JSON


@click.command("predict")
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@options.backend("Runtime and precision.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), help="Ask the backend for it; default: that of the weights."
)
@options.threads()
@options.BATCH
@options.RESOLUTION
@options.SHAPES
@options.INPUT
@options.TARGET
@click.option(
    "--train",
    is_flag=False,
    flag_value=SHORT,
    default=None,
    metavar="[full|SECONDS]",
    help="Measure what predictions need first: for two minutes, or ten (full), or SECONDS; exports come on top. Goes "
    "on where it stopped.",
)
@click.option("--anchor", "anchors", multiple=True, metavar="SPEC", help="Network to train on; repeatable.")
@click.option("--again", is_flag=True, help="With --train: forget what was measured here.")
@click.option("--rank", is_flag=True, help="Put the MODELs in order, and say which pairs are told apart at 90%.")
@click.option("--measure", is_flag=True, help="Time the kernels of MODEL that are not known yet, alone.")
@options.FORMAT
def command(
    models: tuple[str, ...],
    backend: str,
    precision: str | None,
    threads: int,
    batch: int,
    resolution: int | None,
    shapes: tuple[str, ...],
    input: str | None,
    target: str,
    train: str | None,
    anchors: tuple[str, ...],
    again: bool,
    rank: bool,
    measure: bool,
    format: str,
) -> None:
    """Predict the latency of a network on this machine without running it.

    The runtime's own optimised graph is read; each of its kernels is looked up among those that were timed here, or
    predicted from them. What cannot be read of it (a loop) is named, and the exit code is 3. Accuracy and method:
    docs/predict.md.
    """
    from bench import backends
    from bench.api import measuring
    from bench.base.errors import UsageError
    from bench.measure.cases import backend_of, case
    from bench.plan import zoo
    from bench.plan.case import Plan, Settings
    from bench.plan.protocol import TRAINING
    from bench.predict import train as training
    from bench.predict.campaign import SHORT_S
    from bench.predict.place import Place
    from bench.predict.predictor import Predictor, ready
    from bench.predict.regressor import forest
    from bench.predict.table import KernelTable, recall

    budget_s, models = _budget(train, models)
    if not models and not budget_s:
        raise UsageError("nothing to predict", "e.g. bench predict shufflenetv2; or --train, which that needs first")
    with measuring.reached(target) as (there, transport):
        backend = _in_precision(backend, precision)
        ref = backend_of(backend, there)
        training.refuse(ref)
        if measure and not backends.get(ref.name).capabilities.kernels:
            told = f"the operators of {ref.name} cannot be timed alone: it tells their times inside networks"
            raise UsageError(told, "leave --measure out; --train full knows more of them")
        forest(0)  # say at once that scikit-learn is missing
        given = options.network(batch, resolution, shapes, input)
        cases = [case(text, backend, there, threads=threads, **given) for text in models]
        for one in cases:
            if (one.backend.canonical, one.settings) != (ref.canonical, Settings(threads)):
                told = f"{one}: predictions are for {ref.canonical} with --threads {threads}"
                raise UsageError(told, "predict it alone")
        context, place = training.context(ref, threads, transport), Place(transport, there.cores)
        table = KernelTable(context) if budget_s and again else recall(context)
        if budget_s:
            early = anchors or training.ANCHORS
            more = training.MORE if budget_s > SHORT_S and not anchors else ()
            named = [zoo.resolve(a) for a in (*early, *more)]
            training.train(table, ref, named, fleeting, place, budget_s, len(early))
            say(_trained(table), err=True)
        if not cases:
            return
        ready(table)
        plan = Plan(tuple(cases), TRAINING)
        training.list_networks(table, plan, ref, fleeting, place)
        if measure:
            keys = {key for one in plan.cases for key in _network(table, one).keys}
            training.time_kernels(table, ref, fleeting, only=keys, place=place)
    predictor = Predictor(table)
    found = [(_network(table, case), predictor.predict(_network(table, case))) for case in plan.cases]
    table.save()  # with what was predicted of kernels: asked again, it is there
    if rank:
        found.sort(key=lambda pair: pair[1].latency_ns)
    _show(found, predictor, format)
    if rank and len(found) > 1:
        from bench.predict.ranking import statement

        say(statement([(_told(network), prediction) for network, prediction in found]), err=format != "table")
    if not all(prediction.complete for _, prediction in found):
        raise click.exceptions.Exit(3)


def _budget(train: str | None, models: tuple[str, ...]) -> tuple[float, tuple[str, ...]]:
    """Return the seconds of training (0: none) and the models: what follows ``--train`` may be the first of those."""
    from bench.predict.campaign import FULL_S, SHORT_S

    if train is None:
        return 0.0, models
    if train in (SHORT, FULL):
        return {SHORT: SHORT_S, FULL: FULL_S}[train], models
    return (float(train), models) if train.isdigit() else (SHORT_S, (train, *models))


def _in_precision(backend: str, precision: str | None) -> str:
    """Return the backend spec in a precision.

    Raises:
        UsageError: the backend runs a file's own precision alone.
    """
    from bench import backends
    from bench.base.errors import UsageError

    if precision is None:
        return backend
    name = backend.partition(":")[0]
    known = backends.get(name).parameters.get("precision")
    # In int8 another network runs than the one that is listed here: its operators are those of the quantised file.
    if precision == "int8" or known is None or precision not in (known.choices or ()):
        runs = [str(choice) for choice in known.choices if choice not in ("model", "int8")] if known else []
        told = f"{name} runs nothing in {precision} by itself, and no kernels of that are known"
        told += f"; it runs {' and '.join(runs)}" if runs else ""
        raise UsageError(
            told, f"give a model in {precision} (a quantised ONNX file): its operators are predicted as they are"
        )
    return f"{backend}{',' if ':' in backend else ':'}precision={precision}"


def _network(table: KernelTable, case: Case) -> KernelList:
    return table.networks[str(case.network)]


def _trained(table: KernelTable) -> str:
    timed = sum(bool(t.runs) for t in table.timings.values())
    measured = sum(n.latency_ns is not None for n in table.networks.values())
    lost = sorted({t.kernel.op for t in table.timings.values() if t.failed})
    failed = f"; could not be timed: {', '.join(lost)}" if lost else ""
    how = "told of by the runtime" if table.told else "timed alone"
    kernels, networks = counted(timed, "kernel"), counted(measured, "network")
    said = f"{kernels} {how}, {networks} measured end to end{failed}: {table.context.path}"
    if table.calibration:
        return said
    return f"{said}\nhow wrong predictions are was not checked, for too little was timed: --train with more seconds"


def _show(found: list[tuple[KernelList, Prediction]], predictor: Predictor, format: str) -> None:
    records = [_record(network, prediction, predictor) for network, prediction in found]
    if format != "table":
        print_records(records, format)
        return
    short = [{"model": _told(n), "unknown": len(p.sums.unknown)} for n, p in found]
    print_records([record | told for record, told in zip(records, short, strict=True)], "table")
    for network, prediction in found:
        unknown = prediction.sums.unknown
        if unknown:
            more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
            named = "; ".join(unknown[:NAMED]) + more
            say(f"{_told(network)}: these operators are not in the prediction, which is too low: {named}")


def _told(network: KernelList) -> str:
    """Name a network for people: one that has no resolution is told without."""
    return network.name.replace(" resolution=None", "")


def _record(network: KernelList, prediction: Prediction, predictor: Predictor) -> dict[str, object]:
    sums, context = prediction.sums, predictor.table.context

    def ms(value: float | None) -> float | None:
        return None if value is None else round(value / 1e6, 4)

    return {
        "model": network.name,
        "backend": context.backend,
        "threads": context.threads,
        "predicted_ms": ms(prediction.latency_ns),
        "lo_ms": ms(prediction.lo_ns),
        "hi_ms": ms(prediction.hi_ns),
        "kernels": sums.kernels,
        "predicted_kernels": sums.unseen,
        "predicted_share": round(sums.share_unseen, 3),
        "unknown": "; ".join(sums.unknown),
    }
