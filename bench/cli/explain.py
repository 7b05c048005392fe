"""``bench explain``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.report.text.print import fleeting, prepare

if TYPE_CHECKING:
    from bench.plan.case import Case
    from bench.profile.difference import Check
    from bench.profile.network import Network
    from bench.profile.reasons import Statement
    from bench.profile.roofs import Roof


@click.command("explain")
@click.argument("model", required=False)
@click.option("--vs", metavar="MODEL", help="Explain the difference to this one, too.")
@click.option("--backend", default="onnxruntime", show_default=True, metavar="SPEC", help="What runs them.")
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--batch", type=int, default=1, show_default=True)
@click.option("--resolution", type=int, help="Side of the input in pixels; default: the paper's.")
@click.option("--launches", type=click.IntRange(1, 100), help="Fresh processes.  [default: 3; of two networks 4]")
@click.option("--loads", type=click.IntRange(1, 20), help="In each launch.  [default: 3; of two networks 6]")
@click.option("--inferences", type=click.IntRange(1, 1000), help="Per block, at most.  [default: 25]")
@click.option("--pairs", type=click.IntRange(0), default=8, show_default=True, help="Of --vs, to check the difference.")
@click.option("--reasons", type=click.IntRange(0), help="To print, the costliest.  [default: 6; of two networks 4]")
@click.option("--top", type=click.IntRange(0), default=4, show_default=True, help="Operators to print.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and input.")
@click.option(
    "--from",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PROFILE.json",
    help="Explain what `bench profile --output` or `--output` wrote; of two profiles, their difference.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="JSON file for what was measured, to explain --from later."
)
@click.option(
    "--format", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True, help="On stdout."
)
def command(
    model: str | None,
    vs: str | None,
    backend: str,
    threads: int,
    batch: int,
    resolution: int | None,
    launches: int | None,
    loads: int | None,
    inferences: int | None,
    pairs: int,
    reasons: int | None,
    top: int,
    seed: int,
    files: tuple[Path, ...],
    output: Path | None,
    format: str,
) -> None:
    """Say in words why a network takes its time, or why two of like FLOPs differ in speed.

    MODEL may say more, MODEL[@BACKEND][@key=value]..., with keys threads, batch, resolution and shape.
    Every statement carries figures of the profile and is made only if its condition holds there. Of two networks, the
    difference is split by class of operators: the parts and the residual add up to it. What each says: docs/explain.md.
    """
    from bench.profile import network as networks
    from bench.profile.difference import check

    _check_usage(model, vs, files)
    if files:
        loaded = [networks.load(path) for path in files]
        found = [network for mine, _ in loaded for network in mine]
        apart = [pair for _, pairs_ns in loaded for pair in pairs_ns] if len(files) == 1 else []
        _same_runtime(found)
    else:
        if output is not None:
            prepare(output)
        cases = _cases([m for m in (model, vs) if m is not None], backend, threads, batch, resolution)
        records = _profile(cases, launches, loads, inferences, seed)
        apart = _apart(cases, pairs, seed) if len(cases) == 2 and pairs else []
        if output is not None:
            output.write_text(json.dumps({"profiles": records, "apart_ns": apart}), "utf-8")
        found = [networks.read(record) for record in records]
    checked = check(apart) if apart else None
    _show(found, checked, reasons, top, format)


def _check_usage(model: str | None, vs: str | None, files: tuple[Path, ...]) -> None:
    from bench.base.errors import UsageError

    if files and (model or vs):
        raise UsageError("--from explains recorded profiles: no model is measured", "leave out the model, or --from")
    if not files and model is None:
        raise UsageError("no model to explain", "try: bench explain shufflenetv2 --vs pplcnet")


def _same_runtime(found: list[Network]) -> None:
    from bench.base.errors import UsageError

    if len(found) > 2:
        raise UsageError(f"--from gives {len(found)} profiles", "one is explained, two are compared")
    if len({network.runtime for network in found}) > 1:
        first, second = (", ".join(str(part) for part in network.runtime if part) for network in found)
        raise UsageError(
            f"the profiles are not of one runtime and machine: {first}; {second}", "profile both alike, best in turns"
        )


def _cases(models: list[str], backend: str, threads: int, batch: int, resolution: int | None) -> list[Case]:
    from bench.base.errors import UsageError
    from bench.measure.cases import case

    found = [case(text, backend, threads=threads, batch=batch, resolution=resolution) for text in models]
    if len({one.id for one in found}) < len(models):
        raise UsageError(f"--vs is the model itself: {models[0]}", "name another one")
    if len({(one.backend.canonical, one.settings) for one in found}) > 1:
        raise UsageError(f"not on one runtime in one way: {found[0]}; {found[1]}", "`bench ab` compares such cases")
    return found


def _profile(
    cases: list[Case], launches: int | None, loads: int | None, inferences: int | None, seed: int
) -> list[dict[str, Any]]:
    from dataclasses import replace

    from bench.measure.profiles import measure_in_turns
    from bench.plan.protocol import ProfileProtocol
    from bench.profile.combine import combine

    protocol = ProfileProtocol(seed=seed)
    if len(cases) > 1:  # a difference is less certain than a latency, and loads differ more than the rounds of one
        protocol = replace(protocol, launches=4, loads=6, rounds=4)
    protocol = replace(protocol, launches=launches or protocol.launches, loads=loads or protocol.loads)
    if inferences is not None:
        protocol = replace(protocol, most=inferences, least=min(inferences, protocol.least))
    measured = measure_in_turns(cases, protocol, lambda number: fleeting(f"launch {number} of {protocol.launches}"))
    return [combine(case, *found).record() for case, found in zip(cases, measured, strict=True)]


def _apart(cases: list[Case], pairs: int, seed: int) -> list[tuple[float, float]]:
    """Measure the difference once more, without a profiler, in other processes."""
    from bench.measure.pairs import collect
    from bench.plan.protocol import PairProtocol

    protocol = PairProtocol(first=pairs, most=pairs, quads=6, seed=seed)
    a, b = cases
    found = collect(a, b, protocol, lambda pair: fleeting(f"pair {pair.number + 1} of {pairs}"))
    return [pair.latency_ns for pair in found]


def _show(found: list[Network], checked: Check | None, most: int | None, top: int, format: str) -> None:
    import sys

    from bench.profile import roofs
    from bench.profile.reasons import reasons
    from bench.report.text import explain as text

    roof = roofs.find(found)
    said = [reasons(network, roof) for network in found]
    if format == "json":
        click.echo(json.dumps(_record(found, roof, said, checked), indent=1))
        return
    if len(found) == 1:
        sections = text.explain_one(found[0], roof, said[0], 6 if most is None else most, top)
    else:
        sections = text.explain_two(found[0], found[1], roof, said, checked, 4 if most is None else most)
    if format == "markdown":
        for line in text.markdown(sections):
            click.echo(line)
        return
    from rich.console import Console

    text.show(sections, Console(highlight=False, width=None if sys.stdout.isatty() else 120))


def _record(found: list[Network], roof: Roof, said: list[list[Statement]], checked: Check | None) -> dict[str, Any]:
    from bench.profile.difference import split

    record: dict[str, Any] = {
        "roof": {"peak_gmacs_per_s": roof.peak_gmacs_per_s, "origin": roof.origin},
        "networks": [
            {
                "model": network.model,
                "backend": network.backend,
                "version": network.version,
                "precision": network.precision,
                "threads": network.threads,
                "batch": network.batch,
                "latency_ms": network.latency_ms,
                "residual_ms": network.residual_ms,
                "macs": network.macs,
                "floor_ms": sum(roof.floor_us(op) for op in network.operators) / 1e3,
                "reasons": [s.record(network) for s in statements],
                "operators": [
                    {
                        "name": op.name,
                        "class": str(op.op_class),
                        "time_us": op.time_us,
                        "floor_us": roof.floor_us(op),
                        "macs": op.macs,
                        "moved_bytes": op.moved_bytes,
                        "reasons": [s.key for s in statements if i in s.operators],
                    }
                    for i, op in enumerate(network.operators)
                ],
            }
            for network, statements in zip(found, said, strict=True)
        ],
    }
    if len(found) == 2:
        parts = [asdict(part) | {"difference_ms": part.difference_ms} for part in split(*found)]
        record["difference"] = {"total_ms": found[0].latency_ms - found[1].latency_ms, "parts": parts}
        if checked is not None:
            record["difference"]["measured_apart"] = asdict(checked)
    return record
