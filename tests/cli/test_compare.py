"""`bench compare` and `bench history` as a person meets them: what is printed, exit codes, mistakes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bench.base.escape import markdown
from bench.cli.compare import command as compare
from bench.cli.history import command as history
from tests.conftest import Bench, one_line_error
from tests.rows.rows import nights, row, write

STEADY = tuple(np.linspace(-0.004, 0.004, 8))
HOSTILE = "a|b`c`<img src=x>[l](https://evil.example)@someone *x* _y_ #1\\"


def run(command: object, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)  # type: ignore[arg-type]


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    base, new = tmp_path / "base.csv", tmp_path / "new.csv"
    for model, by in (("same", 0.0), ("worse", 0.08)):
        nights(base, STEADY, model=model)
        nights(new, [v + by for v in STEADY], model=model)
    write(new, [row(model="fresh")])
    return base, new


@pytest.mark.parametrize(("gate", "code"), [((), 0), (("--gate", "5%"), 1), (("--gate", "50"), 0)])
def test_exit_codes(sides: tuple[Path, Path], gate: tuple[str, ...], code: int) -> None:
    assert run(compare, *sides, "--job-sd", "1%", *gate).exit_code == code
    assert run(compare, *reversed(sides), "--job-sd", "1%").exit_code == 0


def test_the_table_says_what_matters(sides: tuple[Path, Path]) -> None:
    said = run(compare, *sides, "--job-sd", 1, "--gate", 5).stdout
    assert "+8.3%" in said
    assert "no verdict, only in NEW: fresh on onnxruntime" in said
    assert "gate 5.0%: tripped by 1 of 2 cases: worse on onnxruntime" in said
    assert "false alarms of this gate: less than 0.01% where all sides are equal" in said
    assert "it would have been tripped by a slowdown of 2.5%" in said


def test_json_and_csv(sides: tuple[Path, Path]) -> None:
    found = json.loads(run(compare, *sides, "--job-sd", 1, "--gate", 5, "--format", "json").stdout)
    assert [case["verdict"] for case in found["cases"]] == ["equivalent", "slower"]
    assert [case["gate"] for case in found["cases"]] == ["passed", "tripped"]
    assert (found["gate"]["threshold"], found["gate"]["exit_code"]) == (0.05, 1)
    assert found["gate"]["false_alarms"] < 0.005
    assert found["gate"]["trips_at"] == [0.025, 0.025]
    assert found["cases"][1]["lo"] < found["cases"][1]["ratio"] == 1.0833 < found["cases"][1]["hi"]
    table = list(csv.DictReader(io.StringIO(run(compare, *sides, "--format", "csv").stdout)))
    assert [r["case"] for r in table] == ["same on onnxruntime", "worse on onnxruntime", "geometric mean of 2 cases"]


def gated(base: Path, new: Path, format: str = "table") -> Result:
    return run(compare, base, new, "--gate", 5, "--format", format)


@pytest.mark.parametrize(("base", "new"), [(1, 1), (1, 3), (3, 1)])
def test_a_gate_that_nothing_can_trip_says_so(tmp_path: Path, base: int, new: int) -> None:
    """Half as fast again, and neither a tripping slowdown nor a rate of false alarms is claimed: none has a verdict."""
    one = nights(tmp_path / "base.csv", STEADY[:base])
    two = nights(tmp_path / "new.csv", [v + 0.4 for v in STEADY[:new]])
    done = gated(one, two)
    assert done.exit_code == 3
    assert "no slowdown could have tripped it: a verdict needs 3 jobs on each side" in done.stdout
    assert "tripped by" not in done.stdout
    assert "false alarms" not in done.stdout
    found = json.loads(gated(one, two, "json").stdout)
    assert (found["gate"]["trips_at"], found["cases"][0]["detectable"]) == ([None], None)


def test_what_trips_a_gate_is_told_of_cases_with_a_verdict_alone(tmp_path: Path) -> None:
    for side in ("base", "new"):
        nights(tmp_path / f"{side}.csv", STEADY, model="often")
        nights(tmp_path / f"{side}.csv", STEADY[:1], model="once")
    said = run(compare, tmp_path / "base.csv", tmp_path / "new.csv", "--job-sd", 1, "--gate", 5).stdout
    (line,) = [line for line in said.splitlines() if "tripped by a slowdown" in line]
    assert line == "it would have been tripped by a slowdown of 2.5%; 1 case without a verdict was out of its reach"


@pytest.fixture
def fleet(tmp_path: Path) -> tuple[Path, Path]:
    """Eight machines of one CPU and four jobs each, on six of which one network got slower; two networks are gone."""
    for i in range(8):
        for model, by in (("same", 0.0), ("worse", 0.5 * (i < 6)), ("gone", 0.0), ("lost", 0.0)):
            nights(tmp_path / "base.csv", STEADY[:4], model=model, target=f"runner{i}")
            if model not in ("gone", "lost"):
                nights(tmp_path / "new.csv", [v + by for v in STEADY[:4]], model=model, target=f"runner{i}")
    return tmp_path / "base.csv", tmp_path / "new.csv"


def test_cases_of_many_machines_are_told_apart_and_counted(fleet: tuple[Path, Path]) -> None:
    worse = [f"worse on onnxruntime on runner{i}" for i in range(5)]
    line = f"gate 5.0%: tripped by 6 of 16 cases: {'; '.join(worse)} and 1 more"
    said = gated(*fleet).stdout.splitlines()
    assert line in said
    assert f"**{line}**" in gated(*fleet, "markdown").stdout
    gone = [f"gone on onnxruntime on runner{i}" for i in range(8)]
    lost = [f"lost on onnxruntime on runner{i}" for i in range(8)]
    names = [name for pair in zip(gone, lost, strict=True) for name in pair]
    assert f"no verdict, only in BASE: {'; '.join(names[:5])} and 11 more" in said
    assert f"no verdict, only in BASE: {'; '.join(names)}" in gated(*fleet, "csv").stderr.splitlines()
    assert len(json.loads(gated(*fleet, "json").stdout)["unmatched"]) == 16


def test_machines_of_several_cpus_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    for side, by in (("base", 0.0), ("new", 0.5)):
        for cpu in ("EPYC", "Xeon"):
            nights(tmp_path / f"{side}.csv", [v + by for v in STEADY[:4]], cpu=cpu, cpu_id="family=6")
    said = gated(tmp_path / "base.csv", tmp_path / "new.csv").stdout
    assert "tripped by 2 of 2 cases: net on onnxruntime on EPYC; net on onnxruntime on Xeon\n" in said


def test_markdown_is_a_table_whatever_names_are(tmp_path: Path) -> None:
    for name in ("base", "new"):
        nights(tmp_path / f"{name}.csv", STEADY, model=HOSTILE)
        nights(tmp_path / f"{name}.csv", STEADY, model="plain")
    text = run(compare, tmp_path / "base.csv", tmp_path / "new.csv", "--format", "markdown").stdout
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 5  # header, rule, two cases, one mean
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "<img" not in text
    assert "https://" not in text
    assert "@someone" not in text
    assert "\\`c\\`" in text


def test_markdown_is_one_line() -> None:
    assert "\n" not in markdown("a\nb\x1b[31m")


def test_across_prints(tmp_path: Path) -> None:
    nights(tmp_path / "x.csv", STEADY)
    nights(tmp_path / "y.csv", STEADY, target="arm", cpu="N1", cpu_id="part=1")
    for format in ("table", "csv", "json", "markdown"):
        result = run(compare, tmp_path, "--across", "target", "--format", format)
        assert result.exit_code == 0
        assert "net on onnxruntime" in result.stdout
    assert "order on arm and local, 1 case:" in run(compare, tmp_path, "--across", "target").stdout


@pytest.fixture
def step(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    logs = rng.normal(0, 0.003, 28)
    nights(tmp_path / "a.csv", rng.normal(0, 0.003, 28), model="anchor")
    nights(tmp_path / "a.csv", logs + np.where(np.arange(28) >= 14, 0.1, 0), model="x|y")
    return tmp_path / "a.csv"


def test_history_prints(step: Path) -> None:
    (moved,) = json.loads(run(history, step, "--reference", "anchor", "--format", "json").stdout)["moved"]
    assert (moved["case"], moved["first_after"]) == ("x|y on onnxruntime", "2026-03-15")
    assert moved["ratio"] == pytest.approx(1.105, abs=0.005)
    assert "2026-03-15" in run(history, step, "--reference", "anchor", "--format", "csv").stdout
    assert "x\\|y" in run(history, step, "--reference", "anchor", "--format", "markdown").stdout
    assert "56 rows, 28 runs" in run(history, step, "--reference", "anchor").stdout
    assert "nothing moved" in run(history, step, "--reference", "anchor", "--since", "2026-03-20").stdout
    assert "nothing moved" in run(history, step, "--reference", "anchor", "--least", "30%").stdout


@pytest.mark.parametrize("format", ["table", "markdown", "csv"])
def test_history_of_one_night_does_not_say_that_nothing_moved(tmp_path: Path, format: str) -> None:
    for model in ("anchor", "x"):
        nights(tmp_path / "a.csv", STEADY[:1], model=model)
    done = run(history, tmp_path, "--format", format)
    assert done.exit_code == 0
    said = (done.stdout + done.stderr).lower()
    assert "nothing could be found" in said
    assert "nothing moved" not in said
    assert "it takes 10 nights of a case" in said
    assert json.loads(run(history, tmp_path, "--format", "json").stdout)["searched"] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("compare", "a.csv"), "give BASE and NEW"),
        (("compare", "a.csv", "b.csv"), "no result files in 'b.csv'"),
        (("compare", "a.csv", "a.csv", "--across", "target", "--gate", "5"), "leave one of them out"),
        (("compare", "a.csv", "--across", "cpu"), "all rows have one cpu"),
        (("compare", "a.csv", "a.csv", "--reference", "nothing"), "no case in these rows named 'nothing'"),
        (("history", "no/"), "no result files"),
        (("history", "a.csv", "--reference", "x@openvino"), "no case in these rows"),
    ],
)
def test_mistakes_are_one_line(bench: Bench, step: Path, arguments: tuple[str, ...], says: str) -> None:
    result = bench(*arguments)
    assert says in one_line_error(result)
    assert result.returncode == 2


def test_wrong_percent(bench: Bench, step: Path) -> None:
    result = bench("compare", "a.csv", "a.csv", "--gate", "much")
    assert result.returncode == 2
    assert "'much' is not a number of percent" in result.stderr
