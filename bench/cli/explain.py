"""``bench explain``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli._target import TARGET, reached
from bench.plan.protocol import APART, DIFFERENCE, ProfileProtocol
from bench.report.text.print import fleeting, prepare

if TYPE_CHECKING:
    from bench.measure.pairs import Pair
    from bench.plan.case import Case
    from bench.plan.target import Target
    from bench.profile.difference import Check
    from bench.profile.network import Network
    from bench.profile.reasons import Statement
    from bench.profile.roofs import Roof
    from bench.transport.base import Reach

PROFILE = ProfileProtocol()


@click.command("explain")
@click.argument("model", required=False)
@click.option("--vs", metavar="MODEL", help="Explain the difference to this one, too.")
@click.option("--backend", default="onnxruntime", show_default=True, metavar="SPEC", help="What runs them.")
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--batch", type=int, default=1, show_default=True)
@click.option("--resolution", type=int, help="Side of the input in pixels; default: the paper's.")
@TARGET
@click.option(
    "--launches",
    type=click.IntRange(1, 100),
    help=f"Fresh processes.  [default: {PROFILE.launches}; of two networks {DIFFERENCE.launches}]",
)
@click.option(
    "--loads",
    type=click.IntRange(1, 20),
    help=f"In each launch.  [default: {PROFILE.loads}; of two networks {DIFFERENCE.loads}]",
)
@click.option("--inferences", type=click.IntRange(1, 1000), help=f"Per block, at most.  [default: {PROFILE.most}]")
@click.option(
    "--pairs", type=click.IntRange(0), default=APART.most, show_default=True, help="Of --vs, to check the difference."
)
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
    target: str,
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
        with reached(target) as (there, way):
            cases = _cases([m for m in (model, vs) if m is not None], backend, threads, batch, resolution, there)
            records, raw = _profile(cases, _protocol(len(cases), launches, loads, inferences, seed), way, there.cores)
            measured = _apart(cases, pairs, seed, way, there.cores) if len(cases) == 2 and pairs else []
        apart = [pair.latency_ns for pair in measured]
        if output is not None:
            kept = {"profiles": records, "apart_ns": apart, "launches": raw, "pairs": [pair.raw for pair in measured]}
            output.write_text(json.dumps(kept), "utf-8")
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


def _cases(
    models: list[str], backend: str, threads: int, batch: int, resolution: int | None, there: Target
) -> list[Case]:
    from bench.base.errors import UsageError
    from bench.measure.cases import case

    found = [case(text, backend, there, threads=threads, batch=batch, resolution=resolution) for text in models]
    if len({one.id for one in found}) < len(models):
        raise UsageError(f"--vs is the model itself: {models[0]}", "name another one")
    if len({(one.backend.canonical, one.settings) for one in found}) > 1:
        raise UsageError(f"not on one runtime in one way: {found[0]}; {found[1]}", "`bench ab` compares such cases")
    return found


def _protocol(
    networks: int, launches: int | None, loads: int | None, inferences: int | None, seed: int
) -> ProfileProtocol:
    protocol = replace(PROFILE if networks == 1 else DIFFERENCE, seed=seed)
    protocol = replace(protocol, launches=launches or protocol.launches, loads=loads or protocol.loads)
    if inferences is not None:
        protocol = replace(protocol, most=inferences, least=min(inferences, protocol.least))
    return protocol


def _profile(
    cases: list[Case], protocol: ProfileProtocol, way: Reach, cores: Sequence[int]
) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Return the record of each case, and what its launches brought."""
    from bench.measure.profiles import measure_in_turns
    from bench.profile.combine import combine

    def told(number: int) -> None:
        fleeting(f"launch {number} of {protocol.launches}")

    measured = measure_in_turns(cases, protocol, told, way, cores)
    machine = way.environment()
    records = [combine(case, *found, machine).record() for case, found in zip(cases, measured, strict=True)]
    return records, [launches for _, launches in measured]


def _apart(cases: list[Case], pairs: int, seed: int, way: Reach, cores: Sequence[int]) -> list[Pair]:
    """Measure the difference once more, without a profiler, in other processes."""
    from bench.measure.pairs import collect

    protocol = replace(APART, first=pairs, most=pairs, seed=seed)

    def told(pair: Pair) -> None:
        fleeting(f"pair {pair.number + 1} of {pairs}")

    a, b = cases
    return collect(a, b, protocol, told, 0, way, list(cores))


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
