"""`bench profile` as a command, on scripted profiles, and once on each runtime."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.backends.base import Capabilities
from bench.backends.fake import Fake
from bench.backends.profiling import TimedOperator
from bench.base.errors import MeasureError, Unsupported
from bench.cli.profile import command
from bench.measure import profiling
from bench.profiling import combine
from bench.profiling.combine import align
from tests.conftest import TINY_MACS, Bench, one_line_error

SHORT = ("--launches", 1, "--loads", 1, "--inferences", 3)


def test_a_scripted_profile_comes_out_as_scripted(bench: Bench, tiny: Path) -> None:
    """2 ms of latency, a tenth of it between operators, 20 µs for each event: all of it must come out again."""
    backend = "fake:latency_ms=2,profiler_us=20"
    result = bench("profile", tiny, "--backend", backend, "--format", "json", "--output", "raw.json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["latency_ms"] == pytest.approx(2.0)
    assert found["residual_ms"] == pytest.approx(0.2, rel=1e-6)
    assert found["profiler_overhead"]["delta_us"] == pytest.approx(20)
    assert found["profiler_overhead"]["raw_operators_ms"] == pytest.approx(1.8 + 4 * 0.02)
    assert sum(op["macs"] for op in found["operators"]) == TINY_MACS
    total = sum(op["time_us"] for op in found["operators"]) / 1e3
    assert total + found["residual_ms"] == pytest.approx(found["latency_ms"], rel=1e-5)
    for key in ("classes", "groups"):
        assert sum(c["time_ms"] for c in found[key].values()) == pytest.approx(found["operators_ms"])
        assert sum(c["operators"] for c in found[key].values()) == len(found["operators"]) == 4
        assert sum(c["macs"] for c in found[key].values()) == TINY_MACS
    assert list(found["classes"]) == ["conv 1x1", "conv depthwise", "conv dense", "matmul"]
    short = [op["name"] for op in found["operators"] if not op["precise"]]
    assert short == ["classifier"]  # 180 of 55 thousand MACs
    raw = json.loads((tiny.parent / "raw.json").read_text())
    assert len(raw["launches"]) == 3
    assert all(len(launch["loads"]) == 3 for launch in raw["launches"])


@pytest.mark.parametrize(("scale", "told"), [(1.001, ""), (1.1, "taken out, then scaled by 1.100: ")])
def test_operators_that_were_scaled_are_told_so(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float, told: str
) -> None:
    """A session may be faster beside its profiled twin than alone: then all stand above what was measured."""
    monkeypatch.setattr(combine, "alone_over_beside", lambda loads: scale)
    given = (str(tiny), "--backend", "fake", *map(str, SHORT))
    result = CliRunner().invoke(command, given, catch_exceptions=False)
    assert f"latency {scale:.3f} ms" in result.output
    assert told in result.output
    assert ("scaled" in result.output) == bool(told)


def test_the_table_is_readable_at_100_columns(bench: Bench, tiny: Path) -> None:
    result = bench("profile", tiny, "--backend", "fake", *SHORT)
    assert result.returncode == 0, result.stderr
    assert "latency 1.000 ms" in result.stdout
    assert "0.100 ms residual (10.0%)" in result.stdout
    assert "conv depthwise" in result.stdout
    assert max(map(len, result.stdout.splitlines()[3:])) <= 100  # below the header
    assert "…" not in result.stdout
    assert (
        "depthwise" not in bench("profile", tiny, "--backend", "fake", *SHORT, "--top", 1).stdout.split("operator ")[-1]
    )


def test_csv_has_a_row_for_each_operator_and_the_residual(bench: Bench, tiny: Path) -> None:
    result = bench("profile", tiny, "--backend", "fake", *SHORT, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["name"] for row in rows] == ["first", "depthwise", "pointwise", "classifier", "residual"]
    assert sum(float(row["time_us"]) for row in rows) == pytest.approx(1000, abs=0.01)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_persons_file_on_a_real_runtime(bench: Bench, tiny: Path, backend: str) -> None:
    result = bench("profile", tiny, "--backend", backend, *SHORT, "--format", "json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert sum(op["macs"] or 0 for op in found["operators"]) == TINY_MACS
    assert found["unaccounted_macs"] == 0
    assert found["operators_ms"] + found["residual_ms"] == pytest.approx(found["latency_ms"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing",), "bench list models"),
        (("{tiny}", "--backend", "fke"), "did you mean fake"),
        (("{tiny}", "--backend", "torch"), "ONNX file"),
        (("{tiny}", "--backend", "fake:fail=raise,fail_at=2"), "scripted failure"),
        (("{tiny}", "--backend", "fake:effective=bf16"), "bf16"),
        (("{tiny}", "--backend", "fake", "--output", "{tiny}/x.json"), "--output"),
        (("{tiny}", "--threads", "0"), "--threads 0"),
    ],
)
def test_mistakes_are_one_line(bench: Bench, tiny: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in one_line_error(bench("profile", *(text.format(tiny=tiny) for text in arguments), *SHORT))


def test_a_backend_without_a_profiler_says_so() -> None:
    class Mute(Fake):
        capabilities = Capabilities(graph=True)

    with pytest.raises(Unsupported, match="cannot tell the time of an operator") as told:
        profiling.start(Mute(), object())  # type: ignore[arg-type]
    assert told.value.hint == "mnn, onnxruntime, openvino, torch can be profiled"


def test_loads_that_order_their_operators_anew_are_aligned() -> None:
    def operator(name: str, *shape: int) -> TimedOperator:
        return TimedOperator(name, "Conv", (1.0,), shape_out=shape)

    first = [operator("a", 1), operator("b", 2)]
    assert align(first, first[::-1]) == first
    renamed = [operator("a_7", 1), operator("b_8", 2)]
    assert align(first, renamed) == renamed
    for other in ([operator("c", 1), operator("b", 3)], first[:1], [*first, operator("a", 1)]):
        with pytest.raises(MeasureError, match="another graph"):
            align(first, other)
