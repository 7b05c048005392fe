"""What the API and the commands of the same names share: protocols from what a person gave, and the measuring itself.

Everything here takes resolved things (a plan, a transport to a device) and tells a listener how far it is; what is
shown, and where, is the caller's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.api import asked
from bench.api.comparison import Comparison
from bench.api.progress import Listener, Progress
from bench.base.files import Unwritable
from bench.base.words import counted

if TYPE_CHECKING:
    from bench.backends.answers import Launched
    from bench.measure.pairs import Pair
    from bench.measure.ratios import Ratio
    from bench.plan.case import Case, Plan
    from bench.plan.protocol import PairProtocol, ProfileProtocol, Protocol
    from bench.plan.target import Target
    from bench.profiling.combine import Profile
    from bench.rows.schema import Row
    from bench.transport.base import Transport


@contextmanager
def reached(text: str) -> Iterator[tuple[Target, Transport]]:
    """Give a target and the transport to it, which is closed in the end.

    Raises:
        UnknownName, UsageError: there is no such target, or it is a fleet.
    """
    from bench.plan import target as targets
    from bench.transport import transport_to

    there = targets.resolve(text)
    with closing(transport_to(there)) as transport:
        yield there, transport


def run_protocol(
    launches: int | None,
    budget_s: float | None,
    timeout_s: float | None,
    seed: int,
    max_latency: str | None = None,
    limits: Sequence[str] = (),
    over_s: float | None = None,
    sustain_s: float | None = None,
    require_device: bool = False,
    energy: str = "",
) -> Protocol:
    """Return how cases are measured: the program's defaults, where nothing else is given.

    Raises:
        UsageError: a limit is none.
    """
    from bench.base.errors import UsageError
    from bench.plan.limit import HEADLINE, Limit, read, time_ms
    from bench.plan.protocol import LEAST_SUSTAIN_S, MOST_LIVE, Protocol

    if sustain_s is not None and sustain_s < LEAST_SUSTAIN_S:
        raise UsageError(
            f"--sustain {sustain_s:g} s is too short to tell a first minute from what comes after it",
            f"give {LEAST_SUSTAIN_S / 60:g}m at least; 30m is usual",
        )
    if sustain_s is not None and over_s is not None:
        raise UsageError("--sustain leaves no pause, and --over is for pauses", "leave one of the two out")
    headline = [] if max_latency is None else [Limit(HEADLINE, time_ms(max_latency))]
    limited = (*headline, *map(read, limits))
    base = Protocol(limits=limited, require_device=require_device, energy=energy)
    given = asked.amounts(
        launches=launches, budget_s=budget_s, timeout_s=timeout_s, over_s=over_s, sustain_s=sustain_s, seed=seed
    )
    found = replace(base, **given, live=base.live if sustain_s is None else MOST_LIVE)
    return replace(found, max_launches=max(found.launches, base.max_launches))


def pair_protocol(pairs: int | None, budget_s: float | None, seed: int) -> PairProtocol:
    """Return how two cases are compared."""
    from bench.plan.protocol import PairProtocol

    given = asked.amounts(pairs=pairs, budget_s=budget_s, seed=seed)
    found = replace(PairProtocol(most=given.pop("pairs", PairProtocol().most)), **given)
    return replace(found, first=min(found.first, found.most))


def profile_protocol(
    launches: int | None,
    loads: int | None,
    inferences: int | None,
    timeout_s: float | None,
    seed: int,
    several: bool = False,
) -> ProfileProtocol:
    """Return how a case is profiled, or `several` beside each other."""
    from bench.plan.protocol import DIFFERENCE, ProfileProtocol

    given = asked.amounts(launches=launches, loads=loads, inferences=inferences, timeout_s=timeout_s, seed=seed)
    base = DIFFERENCE if several else ProfileProtocol()
    found = replace(base, most=given.pop("inferences", base.most), **given)
    return replace(found, least=min(found.least, found.most))


@contextmanager
def kept(path: Path) -> Iterator[None]:
    """Tell what goes wrong with writing what was measured from all else that the system may refuse.

    Raises:
        Unwritable: the file of rows or samples cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise Unwritable(error.errno, error.strerror, str(path)) from error


def already(measured: int, total: int) -> str:
    """Say how many cases need not be measured again."""
    return f"{measured} of {counted(total, 'case')} measured already"


def measure(
    plan: Plan,
    cores: Sequence[int],
    transport: Transport,
    told: Listener,
    output: Path | None = None,
    skip: Collection[str] = (),
    compared: Callable[[list[Ratio]], None] = lambda found: None,
) -> Iterator[Row]:
    """Measure the plan's cases whose ids are not to be skipped; yield each `Row` when its case has ended.

    With an `output`, a row and its raw samples are on the disk when it is yielded. `compared` hears how cases that took
    turns compare, when all of them have ended.

    Raises:
        UnknownName: the energy is to be told by a meter that is not there; nothing is measured then.
        Unwritable: the output cannot be written any more.
    """
    from bench.measure.launch import check_meter
    from bench.measure.runner import Observer, Runner
    from bench.rows import file as records

    todo = replace(plan, cases=tuple(case for case in plan.cases if case.id not in skip))
    done, total = 0, len(todo.cases)
    if total < len(plan.cases):
        told(Progress(done, total, already(len(plan.cases) - total, len(plan.cases)), remark=True))

    def step(doing: str) -> None:
        told(Progress(done, total, doing))

    def keep(samples: list[dict[str, object]]) -> None:
        if output is not None:
            with kept(output):
                records.append_samples(output, samples)

    observer = Observer(
        exporting=lambda case: step(f"exporting {case.model.canonical}"),
        converting=lambda case: step(f"converting {case.model.canonical} for {case.backend.name}"),
        remark=lambda case, remark: told(Progress(done, total, f"{case.model.canonical}: {remark}", remark=True)),
        step=lambda case, replicate, doing: step(f"launch {replicate + 1}: {doing} {case}"),
        samples=keep,
        compared=compared,
    )
    protocol = plan.protocol
    check_meter(protocol.energy, (case.backend for case in todo.cases), transport, protocol.timeout_s)
    for row in Runner(todo, list(cores), observer, transport=transport).run():
        if output is not None:
            with kept(output):
                note = records.append(output, row)
            if note:
                told(Progress(done, total, note, remark=True))
        done += 1
        step(f"{row.status}: {row.model} on {row.backend}")
        yield row


def compare(
    cases: tuple[Case, Case],
    protocol: PairProtocol,
    cores: Sequence[int],
    transport: Transport,
    told: Listener,
    margin: float,
    gate: bool = False,
    output: Path | None = None,
) -> Comparison:
    """Measure pairs of A and B and judge them; a `gate` confirms ``slower`` on fresh pairs alone.

    `margin` is the share of A's latency that does not matter: 0.01 is one percent. With an `output`, its raw samples
    get the pairs as they come.

    Raises:
        UsageError: a latency is to be compared with a throughput.
    """
    from bench.base.errors import UsageError
    from bench.measure.pairs import alarms_of
    from bench.plan.protocol import CONFIRMING
    from bench.stats.verdict import decide

    modes = [case.settings.mode for case in cases]
    if modes[0] != modes[1]:
        raise UsageError(
            f"A is measured in mode={modes[0]} and B in mode={modes[1]}, which have no ratio",
            "give both sides @mode=throughput, or neither",
        )
    protocol = replace(protocol, margin=margin)
    again = replace(protocol, first=CONFIRMING, most=max(CONFIRMING, protocol.most))
    pairs = pairs_of(cases, protocol, cores, transport, told, output)
    verdict, confirmed = decide([pair.log_ratio for pair in pairs], margin, protocol.looks), None
    if gate and verdict.verdict == "slower":
        told(Progress(0, again.most, "slower: confirming on fresh pairs", remark=True))
        pairs = pairs_of(cases, again, cores, transport, told, output, len(pairs))
        verdict = decide([pair.log_ratio for pair in pairs], margin, again.looks)
        confirmed = verdict.verdict == "slower"
    known = alarms_of(cases, pairs, protocol, transport, again.looks if gate else ())
    a, b = map(str, cases)
    return Comparison(a, b, verdict, tuple(pairs), confirmed, output, known, modes[0])


def pairs_of(
    cases: tuple[Case, Case],
    protocol: PairProtocol,
    cores: Sequence[int],
    transport: Transport,
    told: Listener,
    output: Path | None = None,
    done: int = 0,
) -> list[Pair]:
    """Measure as many pairs as the protocol asks for; `done` pairs of the schedule were made before."""
    from bench.measure import pairs
    from bench.rows import file as records

    identity = {"a": cases[0].identity(), "b": cases[1].identity(), "seed": protocol.seed}
    seen, before, most = list[float](), "", protocol.most

    def begins(case: Case, doing: str) -> None:
        nonlocal before
        if not doing == before == "measuring":  # the sides take turns, too often to tell
            what = doing if doing == "measuring" else f"{doing} {case}"
            told(Progress(0, most, f"pair 1 of at most {most}, budget {protocol.budget_s:g} s: {what}"))
        before = doing

    def heard(pair: Pair) -> None:
        seen.append(pair.log_ratio)
        if len(seen) == 1 and (longer := _longer(pair.took_s, protocol, done)):
            told(Progress(1, most, longer, remark=True))
        if output is not None:
            with kept(records.samples_path(output)):
                records.append_samples(output, [{**identity, **pair.raw, "log_ratio": pair.log_ratio}])
        told(Progress(len(seen), most, f"pair {len(seen)} of at most {most}{_so_far(seen)}"))

    with nullcontext() if output is None else records.writing_samples(output):
        return pairs.collect(*cases, protocol, heard, done, transport, list(cores), begins)


def _longer(pair_s: float, protocol: PairProtocol, done: int) -> str:
    """Say by what the first pair took that the budget will not hold the pairs that a verdict needs; else nothing."""
    from bench.stats.verdict import MIN_PAIRS

    if (needed := pair_s * protocol.first) <= protocol.budget_s:
        return ""
    # A gate confirms on as many as it has to.
    fewer = f"; --pairs {MIN_PAIRS} asks for fewer" if protocol.first > MIN_PAIRS and not done else ""
    return f"the {protocol.first} pairs of a verdict need about {needed:.0f} s, not {protocol.budget_s:g} s{fewer}"


def _so_far(log_ratios: Sequence[float]) -> str:
    """Say how far the pairs agree; a verdict asks for more, so that one may look at it as often as one likes."""
    from bench.stats.robust import trimmed_interval
    from bench.stats.verdict import MIN_PAIRS

    if len(log_ratios) < MIN_PAIRS:
        return ""
    _, lo, hi = trimmed_interval(log_ratios, 0.95)
    return f", ±{(hi - lo) / 2:.2%}" if hi - lo < 20 else ""


def profile(
    cases: Sequence[Case], protocol: ProfileProtocol, cores: Sequence[int], transport: Transport, told: Listener
) -> tuple[list[Profile], list[list[Launched]]]:
    """Profile cases, side by side where there are several; return a profile of each, and the raw launches of each."""
    from bench.measure.profiles import measure as launch
    from bench.profiling.combine import combine

    def heard(number: int) -> None:
        told(Progress(number, protocol.launches, f"launch {number} of {protocol.launches}"))

    measured = launch(cases, protocol, heard, transport, cores)
    machine = transport.environment()
    profiles = [combine(case, *found, machine) for case, found in zip(cases, measured, strict=True)]
    return profiles, [launches for _, launches in measured]
