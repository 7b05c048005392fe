"""``bench profile``."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options
from bench.cli._progress import passing
from bench.plan.protocol import APART, DIFFERENCE, MOST_S, WHOLE
from bench.report.text.print import ending, prepare, print_json, print_records, say, terminal

if TYPE_CHECKING:
    from bench.plan.case import Case
    from bench.plan.target import Target
    from bench.profiling.combine import OperatorTime, Profile

PROFILE = options.PROFILE
# Operators of the table, and those beside the reasons.
TOP, TOP_WHY = 10, 4
# Reasons of one network, and of each of two.
REASONS, REASONS_EACH = 6, 4


@click.command("profile")
@click.argument("model", required=False)
@click.option("--why", is_flag=True, help="Say in words why it takes its time, instead of the table.")
@click.option("--vs", metavar="MODEL", help="Say why it differs from this one: both are profiled in turns.")
@click.option(
    "--from",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PROFILE.json",
    help="Measure nothing: say why of what --output wrote; of two profiles, their difference.",
)
@options.backend("What runs it.")
@options.threads()
@options.BATCH
@options.RESOLUTION
@options.SHAPES
@options.INPUT
@options.TARGET
@options.launches("Fresh processes.", f"{PROFILE.launches}; with --vs {DIFFERENCE.launches}")
@click.option(
    "--loads",
    type=click.IntRange(*WHOLE["loads"]),
    help=f"Of the model, in each launch.  [default: {PROFILE.loads}; with --vs {DIFFERENCE.loads}]",
)
@options.INFERENCES
@click.option(
    "--pairs", type=click.IntRange(0), default=APART.most, show_default=True, help="Of --vs, to check the difference."
)
@click.option(
    "--reasons",
    type=click.IntRange(0),
    help=f"To print, the costliest.  [default: {REASONS}; of two networks {REASONS_EACH}]",
)
@click.option(
    "--top", type=click.IntRange(0), help=f"Costliest operators to print.  [default: {TOP}; with --why {TOP_WHY}]"
)
@options.timeout(PROFILE.timeout_s)
@options.seed("weights and input")
@options.output("JSON file for the profile and the raw times of every inference.")
@click.option(
    "--format",
    type=click.Choice([*options.FORMATS, "markdown"]),
    default="table",
    show_default=True,
    help="On stdout; csv of the table, markdown of the words.",
)
def command(
    model: str | None,
    why: bool,
    vs: str | None,
    files: tuple[Path, ...],
    backend: str,
    threads: int,
    batch: int,
    resolution: int | None,
    shapes: tuple[str, ...],
    input: str | None,
    target: str,
    launches: int | None,
    loads: int | None,
    inferences: int | None,
    pairs: int,
    reasons: int | None,
    top: int | None,
    timeout: float | None,
    seed: int,
    output: Path | None,
    format: str,
) -> None:
    """Say where the time of an inference goes, operator by operator, and why.

    MODEL may say more, MODEL[@BACKEND][@key=value]..., with keys threads, pace, batch, resolution, shape and input.
    The operators are those of the runtime's own fused graph, led back to the nodes of the source graph. What the
    runtime's profiler costs is measured and taken out; operators and residual add up to the unprofiled latency. With
    --why, --vs or --from it says so in words: every statement carries figures of the profile, and of two networks the
    parts and the residual add up to the difference. What each says: docs/profile.md.
    """
    from bench.api import measuring
    from bench.base.files import write_whole
    from bench.cli import _why

    in_words = why or vs is not None or bool(files) or reasons is not None
    _check_usage(model, vs, files, in_words, format)
    if files:
        found, checked = _why.recorded(files)
        _why.show(found, checked, _most(reasons, len(found)), TOP_WHY if top is None else top, format)
        return
    if output is not None:
        ending(output, (".json",))
        prepare(output)
    protocol = measuring.profile_protocol(launches, loads, inferences, timeout, seed, several=vs is not None)
    with measuring.reached(target) as (there, transport):
        cases = _cases(
            [m for m in (model, vs) if m], backend, threads, there, options.network(batch, resolution, shapes, input)
        )
        profiles, raw = measuring.profile(cases, protocol, there.cores, transport, passing)
        apart = []
        if len(cases) == 2 and pairs:
            # The difference once more, without a profiler, in other processes.
            again = replace(APART, first=pairs, most=pairs, budget_s=MOST_S, seed=seed)
            apart = measuring.pairs_of((cases[0], cases[1]), again, there.cores, transport, passing)
    if output is not None:
        kept: dict[str, object]
        if len(cases) == 1:
            kept = {"case": cases[0].identity(), "profile": profiles[0].record(), "launches": raw[0]}
        else:
            kept = {"profiles": [profile.record() for profile in profiles], "launches": raw}
            kept |= {"apart_ns": [pair.latency_ns for pair in apart], "pairs": [pair.raw for pair in apart]}
        write_whole(output, json.dumps(kept | {"protocol": asdict(protocol)}).encode())
    if in_words:
        from bench.profiling import network as networks
        from bench.profiling.difference import check

        compared = check([pair.latency_ns for pair in apart]) if apart else None
        read = [networks.read(profile.record()) for profile in profiles]
        _why.show(read, compared, _most(reasons, len(read)), TOP_WHY if top is None else top, format)
    else:
        _show(profiles[0], format, TOP if top is None else top)


def _most(reasons: int | None, networks: int) -> int:
    return reasons if reasons is not None else REASONS if networks == 1 else REASONS_EACH


def _check_usage(model: str | None, vs: str | None, files: tuple[Path, ...], in_words: bool, format: str) -> None:
    from bench.base.errors import UsageError

    if files and (model or vs):
        raise UsageError("--from explains recorded profiles: no model is measured", "leave out the model, or --from")
    if not files and model is None:
        raise UsageError("no model to profile", "e.g. bench profile shufflenetv2, or with --vs pplcnet why they differ")
    if in_words and format == "csv":
        raise UsageError("words are no table of CSV", "--format json has the statements and their figures")
    if format == "markdown" and not in_words:
        raise UsageError("--format markdown is for --why, --vs and --from", "--format csv has the operators")


def _cases(models: list[str], backend: str, threads: int, there: Target, network: dict[str, Any]) -> list[Case]:
    from bench.base.errors import UsageError
    from bench.measure.cases import case

    found = [case(text, backend, there, threads=threads, **network) for text in models]
    if len({one.id for one in found}) < len(models):
        raise UsageError(f"--vs is the model itself: {models[0]}", "name another one")
    if len({(one.backend.canonical, one.settings) for one in found}) > 1:
        raise UsageError(f"not on one runtime in one way: {found[0]}; {found[1]}", "`bench ab` compares such cases")
    return found


def _show(profile: Profile, format: str, top: int) -> None:
    if format == "json":
        print_json(profile.record())
    elif format == "csv":
        rows = [_flat(op) for op in profile.operators]
        rows.append(dict.fromkeys(rows[0]) if rows else {"name": None, "time_us": None, "share": None})
        share = round(profile.residual_ms / profile.latency_ms, 6)
        rows[-1] |= {"name": "residual", "time_us": round(profile.residual_ms * 1e3, 3), "share": share}
        print_records(rows, "csv")
    else:
        _print_table(profile, top)


def _flat(op: OperatorTime) -> dict[str, object]:
    """Write shapes and lists of names as text."""
    shapes = ["x".join(map(str, shape)) for shape in op.shapes_in]
    lists = {"shapes_in": " ".join(shapes), "shape_out": "x".join(map(str, op.shape_out))}
    lists["weight"] = "x".join(map(str, op.weight))
    return op.record() | lists | {"sources": " ".join(op.sources)}


def _print_table(profile: Profile, top: int) -> None:
    from bench.report.text import profile as table

    for line in table.header(profile):
        say(line)
    console = terminal(100)
    console.print()
    console.print(table.classes(profile))
    if top:
        console.print()
        console.print(table.operators(profile, top))
