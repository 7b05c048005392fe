"""``python -m benchmarks.lab``, in the project's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.__main__ import run
from bench.cli.options import FORMAT
from bench.report.text.print import print_records, say

if TYPE_CHECKING:
    from benchmarks.lab.repeat import Answer


@click.group("lab", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def command() -> None:
    """Prove on this machine how often `bench` is wrong, how small a change it finds, and how well it repeats.

    Long experiments show their progress, and the same command goes on where it was stopped.
    """


@command.command("power")
@click.argument("cases", nargs=-1, metavar="[MODEL@BACKEND]...")
@click.option("--extra", "extras", multiple=True, type=click.FloatRange(0, 50), help="Percent more work; repeatable.")
@click.option("--pairs", type=click.IntRange(0, 100_000), default=100, show_default=True, help="Of each.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("lab.csv"), help="Its samples keep the pairs.")
@FORMAT
def power(cases: tuple[str, ...], extras: tuple[float, ...], pairs: int, seed: int, output: Path, format: str) -> None:
    """Compare networks with themselves and with themselves plus real extra work, and count the verdicts.

    --extra 0 gives false alarms, the others power (2, 3, 5 and 10 percent by default). Pairs are recorded beside
    --output and judged as `bench ab` would: with --pairs 0, what is there is judged and nothing measured.
    """
    from bench.measure.cases import case
    from bench.rows import file as records
    from benchmarks.lab import power as lab

    records.prepare_samples(output)
    for extra in extras or (0, 2, 3, 5, 10):
        for text in cases:
            lab.record(case(text), extra / 100, pairs, output, _told, seed)
    found = lab.series(output)
    _some(found, output)
    print_records([_readable(lab.summary(one)) if format == "table" else lab.summary(one) for one in found], format)


@command.command("rules")
@click.option("--output", type=click.Path(path_type=Path), default=Path("lab.csv"), help="Of `power`.")
@click.option("--launches", type=click.IntRange(5, 100), default=10, show_default=True, help="Processes a side.")
@FORMAT
def rules(output: Path, launches: int, format: str) -> None:
    """Judge the pairs of `power` by the rules of other tools: same data, whose verdict.

    Each cell is the share of comparisons in which a rule says that the sides differ. `in turns`: both sides' processes
    took turns; `one after the other`: all of A, then all of B, as most tools measure.
    """
    from benchmarks.lab import power as lab
    from benchmarks.lab.rules import RULES, shares

    found = lab.series(output)
    _some(found, output)
    lines: list[dict[str, Any]] = []
    for one in found:
        a, b, ratios = lab.launches(output, one)
        for turns in (False, True):
            said = shares(a, b, ratios, launches, turns)
            order = "in turns" if turns else "one after the other"
            cells: dict[str, Any] = {name: said.get(name) for name in RULES}
            if format == "table":
                cells = {name: "-" if share is None else f"{share:.0%}" for name, share in cells.items()}
            known = {"case": one.name, "wanted": f"{one.wanted:.0%}", "extra_macs": one.extra_macs}
            lines.append(known | {"measured": order} | cells)
    print_records(lines, format)


@command.command("rates")
@click.argument("results", nargs=-1, type=click.Path(path_type=Path), metavar="[CSV]...")
@click.option("--draws", type=click.IntRange(100, 1_000_000), default=20_000, show_default=True)
@click.option("--margin", type=click.FloatRange(0.001, 0.5), default=0.01, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@FORMAT
def rates(results: tuple[Path, ...], draws: int, margin: float, seed: int, format: str) -> None:
    """Simulate rules of stopping and deciding: how often each calls B slower, and with how many pairs.

    `equal` and `at the margin` are false alarms, `twice the margin` is power. With CSVs, comparisons are drawn from the
    pairs of equal sides that are recorded beside them.
    """
    from bench.base.errors import UsageError
    from benchmarks.lab import rates as lab

    noises = lab.recorded(results) if results else lab.NOISES
    if not noises:
        raise UsageError("no pairs of equal sides are recorded there", "`power --extra 0` records some")
    lines = lab.table(noises, draws, margin, seed)
    print_records([_shares(line) if format == "table" else line for line in lines], format)


@command.command("limits")
@click.option("--draws", type=click.IntRange(20, 100_000), default=1000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@FORMAT
def limits(draws: int, seed: int, format: str) -> None:
    """Simulate launches and say how often the interval of a percentile holds the truth.

    `false fail` and `false pass`: how often a limit at the true percentile is called failed and passed. `open`: how
    often no sample bounds it from above.
    """
    from benchmarks.lab.limits import table

    lines = table(draws, seed)
    print_records([_readable(line) if format == "table" else line for line in lines], format)


def _shares(line: dict[str, Any]) -> dict[str, Any]:
    told = {key: f"{v:.2%}" if isinstance(v, float) else v for key, v in line.items()}
    return told | {"pairs used": f"{line['pairs used']:.1f}"}


@command.command("repeat")
@click.option("--model", default="shufflenetv2", show_default=True)
@click.option("--runs", type=click.IntRange(0, 1000), default=10, show_default=True, help="Beside a neighbour.")
@click.option("--quiet-runs", type=click.IntRange(2, 1000), default=6, show_default=True, help="Without one.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--wander", is_flag=True, help="The neighbour takes another core each time; else one per turn.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("repeat.jsonl"), help="Keeps every answer.")
@FORMAT
def repeat(model: str, runs: int, quiet_runs: int, seed: int, wander: bool, output: Path, format: str) -> None:
    """Ask `bench run`, benchmark_app, pyperf and torch.utils.benchmark the same again and again, in turns.

    Most turns have a busy neighbour, which burns one core for 3 s and rests for 3 s. Answers already in --output are
    not asked again.
    """
    from benchmarks.lab import repeat as lab

    def told(answer: Answer) -> None:
        where = "quiet" if answer.quiet else "neighbour"
        said = f"{answer.tool:22} {answer.latency_ms:8.3f} ms  {answer.wall_s:5.1f} s  {answer.status}"
        say(f"turn {answer.turn + 1:2} {where:9} {said}", err=True)

    lines = lab.summary(lab.turns(model, output, runs, quiet_runs, told, seed, wander))
    print_records([_readable(line) if format == "table" else line for line in lines], format)


@command.command("coverage")
@click.argument("results", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[CSV]...")
@click.option("--within", is_flag=True, help="Judge the interval for more launches of one run instead.")
@click.option("--learn", type=click.IntRange(1, 100), help="Learn from so many runs of a case, and judge the others.")
@click.option("--launches", type=click.IntRange(2, 100), help="End every run after so many.")
@click.option("--synthetic", is_flag=True, help="Judge on made-up machines, of which the truth is known.")
@FORMAT
def coverage(
    results: tuple[Path, ...], within: bool, learn: int | None, launches: int | None, synthetic: bool, format: str
) -> None:
    """Say how often the interval of a row holds what other runs found.

    Takes the raw samples beside each CSV, all of one machine. Every run is told with what was known before it, and held
    against the mean of the other runs of its case: `holds` is the share whose interval holds it, `width_over_spread`
    the half-width over 1.96 standard deviations between the runs. With --within recorded launches are drawn anew as
    runs, and held against what all of them say together.
    """
    if synthetic:
        from benchmarks.lab.synthetic import MACHINES
        from benchmarks.lab.synthetic import coverage as made_up

        lines: list[dict[str, Any]] = [made_up(name) for name in MACHINES]
    elif within:
        lines = _within(results)
    else:
        from bench.rows import file as records
        from benchmarks.lab import another

        there = [path for path in results if records.samples_path(path).exists()]
        cases = another.recorded(sample for path in there for sample in records.read_samples(path))
        lines = another.summary(another.judge(cases, learn, launches))
    if not lines:
        from bench.base.errors import UsageError

        raise UsageError("no case has enough recorded runs", "give CSVs with raw samples of four runs and more")
    print_records([_readable(line) if format == "table" else line for line in lines], format)


def _within(results: tuple[Path, ...]) -> list[dict[str, Any]]:
    from bench.rows import file as records
    from benchmarks.lab.coverage import LEAST
    from benchmarks.lab.coverage import coverage as covered

    cases: dict[str, list[Any]] = {}
    for path in results:
        for r in records.read_samples(path) if records.samples_path(path).exists() else ():
            if r.get("blocks") and "gemm_ns" in r["blocks"][0]["canary"][0]:
                cases.setdefault(f"{r['model']}@{r['backend']}", []).append(r["blocks"])
    found = [{"case": name} | line for name, launches in cases.items() if (line := covered(launches)) is not None]
    if not found:
        from bench.base.errors import UsageError

        raise UsageError(
            f"no case has {LEAST} recorded launches that count", "measure with --launches 20, or more runs"
        )
    return found


def _told(what: str, n: int) -> None:
    click.echo(f"{what}: pair {n}", err=True)


def _some(found: list[Any], output: Path) -> None:
    from bench.base.errors import UsageError

    if not found:
        raise UsageError(f"{output} has no pairs of `power`", "name a case to measure, or another --output")


def _readable(line: dict[str, Any]) -> dict[str, Any]:
    """Round for people: shares in percent, times to a microsecond."""

    def text(key: str, value: Any) -> Any:
        if not isinstance(value, float):
            return value
        if key in ("ms", "width_over_spread"):
            return f"{value:.2f}"
        if key.endswith(("_ms", "_s")) or key.startswith("mean_"):
            return f"{value:.3f}" if key.endswith("_ms") else f"{value:.1f}"
        return f"{value:.2%}"

    return {key: text(key, value) for key, value in line.items()}


if __name__ == "__main__":
    run(command, "python -m benchmarks.lab")
