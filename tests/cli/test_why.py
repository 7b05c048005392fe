"""`bench profile --why`, `--vs` and `--from`: on scripted and recorded profiles, and once on a real runtime."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.conftest import TINY_MACS, Bench, examined, one_line_error, tiny_model

SHORT = ("--launches", 1, "--loads", 1, "--inferences", 3)


@pytest.fixture
def second(tiny: Path) -> Path:
    """Another network of the same MACs."""
    import onnx

    path = tiny.with_name("second.onnx")
    onnx.save(tiny_model(1), path)
    return examined(path)


def test_a_recorded_profile_is_explained_without_measuring(bench: Bench, tiny: Path) -> None:
    profiled = bench("profile", tiny, "--backend", "fake:latency_ms=2", *SHORT, "--output", "one.json")
    assert profiled.returncode == 0, profiled.stderr
    tiny.unlink()
    result = bench("profile", "--from", "one.json")
    assert result.returncode == 0, result.stderr
    assert "2.000 ms" in result.stdout
    assert "between them" in result.stdout  # the tenth that the scripted profiler leaves between operators
    assert len(result.stdout.splitlines()) <= 25
    found = json.loads(bench("profile", "--from", "one.json", "--format", "json").stdout)["networks"][0]
    assert found["macs"] == TINY_MACS
    assert {"residual"} <= {reason["key"] for reason in found["reasons"]}
    parts = [op["time_us"] / 1e3 for op in found["operators"]]
    assert math.fsum(parts) + found["residual_ms"] == pytest.approx(found["latency_ms"])
    marked = bench("profile", "--from", "one.json", "--format", "markdown").stdout
    assert marked.count("\n| --- |") == 2


def test_two_recorded_profiles_give_their_difference(bench: Bench, tiny: Path, second: Path) -> None:
    for model, name in ((tiny, "one.json"), (second, "two.json")):
        assert bench("profile", model, "--backend", "fake", *SHORT, "--output", name).returncode == 0
    data = json.loads((tiny.parent / "two.json").read_text())
    for op in data["profile"]["operators"]:
        op["time_us"] *= 1.5
    data["profile"]["latency_ms"] *= 1.5
    (tiny.parent / "two.json").write_text(json.dumps(data))
    result = bench("profile", "--from", "one.json", "--from", "two.json", "--format", "json")
    assert result.returncode == 0, result.stderr
    difference = json.loads(result.stdout)["difference"]
    assert difference["total_ms"] == pytest.approx(-0.5)
    assert math.fsum(part["difference_ms"] for part in difference["parts"]) == pytest.approx(-0.5, abs=1e-9)
    assert "one.onnx" not in result.stdout
    assert "is 1.50 times as fast" in bench("profile", "--from", "one.json", "--from", "two.json").stdout
    data["profile"]["threads"] = 2
    (tiny.parent / "two.json").write_text(json.dumps(data))
    assert "not of one runtime" in one_line_error(bench("profile", "--from", "one.json", "--from", "two.json"))


def test_two_networks_on_a_real_runtime(bench: Bench, tiny: Path, second: Path) -> None:
    arguments = ("profile", tiny, "--vs", second, *SHORT, "--pairs", 2, "--output", "both.json")
    result = bench(*arguments, "--format", "json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    difference = found["difference"]
    assert math.fsum(part["difference_ms"] for part in difference["parts"]) == pytest.approx(
        difference["total_ms"], abs=1e-9
    )
    assert difference["measured_apart"]["pairs"] == 2
    assert [network["macs"] for network in found["networks"]] == [TINY_MACS, TINY_MACS]
    assert found["roof"]["peak_gmacs_per_s"] is None or found["roof"]["peak_gmacs_per_s"] > 0
    again = bench("profile", "--from", "both.json", "--format", "json")
    assert json.loads(again.stdout) == found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no model to profile"),
        (("nothing",), "bench list models"),
        (("{tiny}", "--vs", "{tiny}"), "the model itself"),
        (("{tiny}", "--from", "x.json"), "--from explains recorded profiles"),
        (("--from", "x.json"), "cannot read"),
        (("{tiny}", "--backend", "fke"), "did you mean fake"),
        (("{tiny}", "--output", "{tiny}/x.json"), "--output"),
        (("{tiny}", "--format", "csv"), "no table of CSV"),
    ],
)
def test_mistakes_are_one_line(bench: Bench, tiny: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in one_line_error(bench("profile", "--why", *(text.format(tiny=tiny) for text in arguments)))


def test_reasons_and_the_table_are_of_one_profile(bench: Bench, tiny: Path) -> None:
    """What --why measures is kept as what the table is made of, so that either can be had of it later."""
    result = bench("profile", tiny, "--backend", "fake:latency_ms=2", "--why", *SHORT, "--output", "why.json")
    assert "between them" in result.stdout, result.stderr
    kept = json.loads((tiny.parent / "why.json").read_text())
    assert kept["profile"]["latency_ms"] == pytest.approx(2.0)
    assert bench("profile", "--from", "why.json").stdout == result.stdout
    old = bench("explain", "--from", "why.json")
    assert (old.stdout, old.stderr) == (result.stdout, "`bench explain` is now `bench profile --why`\n")
    assert "--why" in one_line_error(bench("profile", tiny, "--format", "markdown"))
