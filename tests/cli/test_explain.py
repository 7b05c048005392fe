"""`bench explain` as a command: on scripted and recorded profiles, and once on a real runtime."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.conftest import TINY_MACS, Bench, one_line_error, tiny_model

SHORT = ("--launches", 1, "--loads", 1, "--inferences", 3)


@pytest.fixture
def second(tiny: Path) -> Path:
    """Another network of the same MACs."""
    import onnx

    path = tiny.with_name("second.onnx")
    onnx.save(tiny_model(1), path)
    return path


def test_a_recorded_profile_is_explained_without_measuring(bench: Bench, tiny: Path) -> None:
    profiled = bench("profile", tiny, "--backend", "fake:latency_ms=2", *SHORT, "--output", "one.json")
    assert profiled.returncode == 0, profiled.stderr
    tiny.unlink()
    result = bench("explain", "--from", "one.json")
    assert result.returncode == 0, result.stderr
    assert "2.000 ms" in result.stdout
    assert "between them" in result.stdout  # the tenth that the scripted profiler leaves between operators
    assert len(result.stdout.splitlines()) <= 25
    found = json.loads(bench("explain", "--from", "one.json", "--format", "json").stdout)["networks"][0]
    assert found["macs"] == TINY_MACS
    assert {"residual"} <= {reason["key"] for reason in found["reasons"]}
    parts = [op["time_us"] / 1e3 for op in found["operators"]]
    assert math.fsum(parts) + found["residual_ms"] == pytest.approx(found["latency_ms"])
    marked = bench("explain", "--from", "one.json", "--format", "markdown").stdout
    assert marked.count("\n| --- |") == 2


def test_two_recorded_profiles_give_their_difference(bench: Bench, tiny: Path, second: Path) -> None:
    for model, name in ((tiny, "one.json"), (second, "two.json")):
        assert bench("profile", model, "--backend", "fake", *SHORT, "--output", name).returncode == 0
    data = json.loads((tiny.parent / "two.json").read_text())
    for op in data["profile"]["operators"]:
        op["time_us"] *= 1.5
    data["profile"]["latency_ms"] *= 1.5
    (tiny.parent / "two.json").write_text(json.dumps(data))
    result = bench("explain", "--from", "one.json", "--from", "two.json", "--format", "json")
    assert result.returncode == 0, result.stderr
    difference = json.loads(result.stdout)["difference"]
    assert difference["total_ms"] == pytest.approx(-0.5)
    assert math.fsum(part["difference_ms"] for part in difference["parts"]) == pytest.approx(-0.5, abs=1e-9)
    assert "one.onnx" not in result.stdout
    assert "is 1.50 times as fast" in bench("explain", "--from", "one.json", "--from", "two.json").stdout
    data["profile"]["threads"] = 2
    (tiny.parent / "two.json").write_text(json.dumps(data))
    assert "not of one runtime" in one_line_error(bench("explain", "--from", "one.json", "--from", "two.json"))


def test_two_networks_on_a_real_runtime(bench: Bench, tiny: Path, second: Path) -> None:
    arguments = ("explain", tiny, "--vs", second, *SHORT, "--pairs", 2, "--output", "both.json")
    result = bench(*arguments, "--format", "json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    difference = found["difference"]
    assert math.fsum(part["difference_ms"] for part in difference["parts"]) == pytest.approx(
        difference["total_ms"], abs=1e-9
    )
    assert difference["measured_apart"]["pairs"] == 2
    assert [network["macs"] for network in found["networks"]] == [TINY_MACS, TINY_MACS]
    assert found["roof"]["peak_gmacs_per_s"] > 0
    again = bench("explain", "--from", "both.json", "--format", "json")
    assert json.loads(again.stdout) == found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no model to explain"),
        (("nothing",), "bench list models"),
        (("{tiny}", "--vs", "{tiny}"), "the model itself"),
        (("{tiny}", "--from", "x.json"), "--from explains recorded profiles"),
        (("--from", "x.json"), "cannot read"),
        (("{tiny}", "--backend", "fke"), "did you mean fake"),
        (("{tiny}", "--output", "{tiny}/x.json"), "--output"),
    ],
)
def test_mistakes_are_one_line(bench: Bench, tiny: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in one_line_error(bench("explain", *(text.format(tiny=tiny) for text in arguments)))


def test_the_text_of_a_case_is_the_one_of_every_command(bench: Bench, tiny: Path, second: Path) -> None:
    profiled = bench("profile", f"{tiny}@fake:latency_ms=2@batch=1", *SHORT, "--format", "json")
    assert json.loads(profiled.stdout)["latency_ms"] == pytest.approx(2)
    mixed = bench("explain", f"{tiny}@fake", "--vs", f"{second}@fake:latency_ms=2", *SHORT)
    assert "not on one runtime" in one_line_error(mixed)
