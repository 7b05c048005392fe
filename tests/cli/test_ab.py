"""`bench ab` on scripted latencies: the verdict, the exit code, what is kept."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.base.files import Unwritable
from bench.cli.ab import command
from bench.measure.pairs import Pair
from bench.plan.protocol import PairProtocol
from bench.rows import file as records
from tests.conftest import Bench, one_line_error

FEW = ("--pairs", 5)


@pytest.mark.parametrize(
    ("a", "b", "verdict", "code"),
    [
        ("fake", "fake", "equivalent", 0),
        ("fake", "fake:latency_ms=1.05", "slower", 1),
        ("fake", "fake:latency_ms=0.95", "faster", 0),
    ],
)
def test_verdict_and_exit_code(bench: Bench, tiny: Path, a: str, b: str, verdict: str, code: int) -> None:
    result = bench("ab", f"{tiny}@{a}", f"{tiny}@{b}", *FEW, "--format", "json", "--output", "r.csv")
    (record,) = json.loads(result.stdout)
    assert (record["verdict"], result.returncode) == (verdict, code), result.stderr
    assert record["pairs"] == 5
    pairs = list(records.read_samples(tiny.parent / "r.csv"))
    assert [pair["pair"] for pair in pairs] == [0, 1, 2, 3, 4]
    assert not (tiny.parent / "r.csv").exists()  # pairs are no rows
    assert {block["side"] for block in pairs[0]["blocks"]} == {"A", "B"}
    assert len({len(block["latency_ns"]) for block in pairs[0]["blocks"]}) == 1  # equal numbers on both sides


def test_inconclusive_has_a_code_of_its_own(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On pairs that are given: random ones would be conclusive once in a hundred runs."""
    wild = [Pair(i, ratio, (ratio,), (1e6, 1e6), {}) for i, ratio in enumerate((0.4, -0.3, 0.1, -0.5, 0.3))]
    monkeypatch.setattr("bench.measure.pairs.collect", lambda *_: wild)
    result = CliRunner().invoke(
        command, [f"{tiny}@fake", f"{tiny}@fake", "--format", "json", "--output", str(tmp_path / "r.csv")]
    )
    (record,) = json.loads(result.stdout)
    assert (record["verdict"], result.exit_code) == ("inconclusive", 3)


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        (("--budget", "20"), "the 10 pairs of a verdict need about 78 s, not 20 s; --pairs 5 asks for fewer"),
        (("--budget", "20", *FEW), "the 5 pairs of a verdict need about 39 s, not 20 s"),
        (("--budget", "78"), ""),
        ((), ""),
    ],
)
def test_a_budget_that_does_not_hold_the_pairs_is_said_after_the_first(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: tuple[object, ...], says: str
) -> None:
    def collect(
        a: object, b: object, protocol: PairProtocol, told: Callable[[Pair], None], *rest: object
    ) -> list[Pair]:
        made = [Pair(i, 0.0, (), (1e6, 1e6), {}, took_s=7.8) for i in range(protocol.first)]  # type: ignore[typeddict-item]
        for pair in made:
            told(pair)
        return made

    monkeypatch.setattr("bench.measure.pairs.collect", collect)
    monkeypatch.setattr("bench.rows.file.append_samples", lambda *_: None)
    words = (f"{tiny}@fake", f"{tiny}@fake", *budget, "--output", tmp_path / "r.csv")
    result = CliRunner().invoke(command, list(map(str, words)), catch_exceptions=False)
    assert result.stderr.splitlines() == ([says] if says else [])


def test_a_pair_tells_what_it_took(tiny: Path) -> None:
    from bench.measure.cases import case
    from bench.measure.pairs import run

    one = case(f"{tiny}@fake")
    pair = next(iter(run(one, one, PairProtocol(quads=2))))
    assert pair.took_s > 0


def test_until_the_first_pair_it_says_what_it_does(tiny: Path) -> None:
    from bench.api import measuring
    from bench.api.progress import Progress
    from bench.measure.cases import case
    from bench.transport.local import LocalTransport

    one, steps = case(f"{tiny}@fake"), list[Progress]()
    protocol = PairProtocol(most=2, first=2, quads=2, budget_s=5)
    measuring.pairs_of((one, one), protocol, [], LocalTransport(), steps.append)
    before = "pair 1 of at most 2, budget 5 s: "
    first = [step.doing.removeprefix(before) for step in steps if step.doing.startswith(before)]
    load = [f"loading {one}", f"warming up {one}"]
    assert [text for text in first if "warming" in text or "back" in text] == 2 * [load[1]] + 2 * [
        f"reading back {one}"
    ]
    assert first[:4] == 2 * load
    assert first[4] == "measuring"
    assert first[5] != "measuring"  # once, however often the sides take turns
    assert [step.doing for step in steps[len(first) :]] == [f"pair {n} of at most 2" for n in (1, 2)]


def test_order_inside_a_quad_is_abba_or_baab(bench: Bench, tiny: Path) -> None:
    bench("ab", f"{tiny}@fake", f"{tiny}@fake", *FEW, "--output", "r.csv")
    seen = set()
    for pair in records.read_samples(tiny.parent / "r.csv"):
        for quad in range(8):
            seen.add("".join(block["side"] for block in pair["blocks"] if block["quad"] == quad))
    assert seen == {"ABBA", "BAAB"}


def test_a_gate_confirms_on_fresh_pairs(bench: Bench, tiny: Path) -> None:
    sides = (f"{tiny}@fake", f"{tiny}@fake:latency_ms=1.1")
    result = bench("ab", *sides, *FEW, "--gate", "--format", "json", "--output", "r.csv")
    (record,) = json.loads(result.stdout)
    assert record["confirmed"] is True
    assert record["pairs"] == 20
    assert [p["pair"] for p in records.read_samples(tiny.parent / "r.csv")] == list(range(25))
    assert result.returncode == 1


def test_a_side_may_have_its_own_settings(bench: Bench, tiny: Path) -> None:
    result = bench("ab", f"{tiny}@fake@resolution=16", f"{tiny}@fake:latency_ms=2", *FEW)
    assert "slower" in result.stdout
    assert "2.000 ms" in result.stdout


@pytest.mark.parametrize(
    ("b", "says"),
    [("nothing", "bench list models"), ("{tiny}@fke", "did you mean fake"), ("{tiny}@fake@threads=x", "threads=2")],
)
def test_mistakes_are_one_line(bench: Bench, tiny: Path, b: str, says: str) -> None:
    result = bench("ab", f"{tiny}@fake", b.format(tiny=tiny), *FEW)
    assert says in one_line_error(result)


@pytest.mark.parametrize(
    ("b", "says"),
    [
        ("fake:effective=bf16", "ran in bf16"),
        ("fake:error=1", "wrong network"),
        ("fake:fail=drift,fail_at=30", "wrong network"),
    ],
)
def test_what_is_not_comparable_is_not_compared(bench: Bench, tiny: Path, b: str, says: str) -> None:
    result = bench("ab", f"{tiny}@fake", f"{tiny}@{b}", *FEW)
    assert says in (said := one_line_error(result))
    assert said.startswith("error: B: ")
    turned = one_line_error(bench("ab", f"{tiny}@{b}", f"{tiny}@fake", *FEW))
    assert turned.startswith("error: A: ")


def test_pairs_that_cannot_be_written_any_more_are_told(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []

    def append(path: Path, lines: list[object]) -> None:
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.extend(lines)

    monkeypatch.setattr(records, "append_samples", append)
    arguments = (f"{tiny}@fake", f"{tiny}@fake", *map(str, FEW), "--output", str(tiny.parent / "r.csv"))
    with pytest.raises(Unwritable) as caught:
        CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert Path(caught.value.filename) == tiny.parent / "r.samples.jsonl.gz"


def test_whose_file_is_broken_is_told(bench: Bench, tiny: Path) -> None:
    """Two folders hold a file of one name, as base and head of a change do."""
    broken = tiny.parent / "head" / tiny.name
    broken.parent.mkdir()
    broken.write_text("a letter")
    for name, more in (("ab", FEW), ("profile", ())):
        sides = (f"{tiny}@fake", f"{broken}@fake") if name == "ab" else (tiny, "--vs", broken, "--backend", "fake")
        assert one_line_error(bench(name, *sides, *more)).startswith("error: B: tiny.onnx is not"), name
    assert one_line_error(bench("profile", broken, "--backend", "fake")).startswith("error: tiny.onnx is not")


def test_markdown_is_for_a_comment(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come from whoever opens the pull request: no markup of theirs gets through."""
    evil = tiny.rename(tiny.with_name("x|<img src=y>[a](http:z)*b*`c`.onnx"))
    slow = f"{evil}@fake:latency_ms=1.05"

    def collect(a: object, b: object, protocol: PairProtocol, *rest: object) -> list[Pair]:
        return [Pair(i, math.log(1.05), (), (1e6, 1.05e6), {}) for i in range(protocol.first)]

    monkeypatch.setattr("bench.measure.pairs.collect", collect)
    arguments = (f"{evil}@fake", slow, *FEW, "--gate", "--format", "markdown")
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 1, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "### Latency, B against A"
    assert lines[2].startswith("**B is 🔴 slower**: +5.0%, 95% interval +5.0% to +5.0%, 20 pairs")
    assert lines[4:6] == ["|  | median ms | case |", "| --- | --- | --- |"]
    assert [line.split(" | ")[:2] for line in lines[6:8]] == [["| A", "1"], ["| B", "1.05"]]
    assert r"x\|&lt;img src=y&gt;\[a\](http:z)\*b\*\`c\`.onnx" in lines[6]
    assert "fresh ones confirmed it" in "\n".join(lines)
    assert lines[-1].startswith("False alarms of this rule: 0.0% of equal sides")


def test_the_margin_and_the_pace_are_written_as_elsewhere(bench: Bench, tiny: Path) -> None:
    sides = (f"{tiny}@fake", f"{tiny}@fake:latency_ms=1.03@pace=none")
    for margin in ("5%", "5"):
        result = bench(
            "ab", *sides, *FEW, "--margin", margin, "--pace", "20ms", "--format", "json", "--output", "r.csv"
        )
        (record,) = json.loads(result.stdout)
        assert result.returncode == 0, result.stderr  # 3% do not matter
        assert record["verdict"] == "equivalent"
        assert record["a"].endswith("pace=20ms")
        assert "pace=" not in record["b"]


def test_a_file_with_dynamic_axes_gets_its_shape_by_an_option(bench: Bench, tmp_path: Path) -> None:
    """What a message asks for must be there: `--shape`, in all commands that measure a file."""
    import onnx

    from tests.conftest import tiny_model

    model = tiny_model(batch="n")
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "h"
    onnx.save(model, tmp_path / "free.onnx")
    asked = one_line_error(bench("ab", "free.onnx@fake", "free.onnx@fake:latency_ms=1.05", *FEW))
    assert "--shape x=" in asked
    sides = ("free.onnx@fake", "free.onnx@fake:latency_ms=1.05")
    done = bench("ab", *sides, "--shape", "x=1x3x16x16", *FEW, "--output", "r.csv")
    assert done.returncode == 1, done.stderr
    assert "slower" in done.stdout
    for command_ in ("predict", "profile", "inspect", "export", "run"):
        assert "--shape" in bench(command_, "--help").stdout, command_
