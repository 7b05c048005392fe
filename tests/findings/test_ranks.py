from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.base.errors import ArtifactError, OutputError
from bench.cli.rank import command
from bench.findings import ranked
from bench.findings.predictions import read
from bench.findings.ranked import RankedNetwork
from bench.findings.ranks import analyse, extremes_of, inversions_of, moved
from bench.rows.frame import load
from tests.rows.rows import row, write


def net(model: str, macs: float, ms: float, half: float = 0.01) -> RankedNetwork:
    return RankedNetwork(model, "", macs, ms, ms * (1 - half), ms * (1 + half))


@pytest.fixture(autouse=True)
def no_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of networks are made up from their names; exporting is tested elsewhere."""
    sizes = {"shufflenetv2": (2.0, 9.0), "mobilenetv1": (4.0, 7.0), "mobilenetv2": (3.0, 8.0), "pplcnet": (1.0, 1.0)}
    monkeypatch.setattr(ranked, "_counts", lambda row: sizes.get(row["model"], (None, None)))


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    nets = {"shufflenetv2": (146, 4.0), "mobilenetv1": (569, 8.6), "mobilenetv2": (301, 6.8), "pplcnet": (150, 3.1)}
    rows = [
        row(
            ms * (2 if backend == "openvino" and model == "pplcnet" else 1),
            model=model,
            macs=m * 10**6,
            backend=backend,
        )
        for backend in ("onnxruntime", "openvino")
        for model, (m, ms) in nets.items()
    ]
    return write(tmp_path / "rows.csv", [*rows, row(1.0, status="failed", model="broken")])


def test_what_takes_long_is_told(tmp_path: Path) -> None:
    rows = [row(3.0 + i, model=f"stack/conv:c={8 * (i + 1)}", resolution=8, macs=(i + 1) * 10**6) for i in range(3)]
    told: list[str] = []
    analyse(load([str(write(tmp_path / "r.csv", [*rows, *rows]))]), None, told.append)
    assert [line.split()[0] for line in told] == ["counting"] * 3
    assert told[-1].endswith("3 of 3")


def test_an_inversion_is_fewer_macs_and_slower_within_ten_percent() -> None:
    found, pairs = inversions_of("s", [net("a", 100, 5), net("b", 105, 4), net("c", 111, 3), net("d", 200, 1)])
    assert pairs == 3  # a and c are 9.9% apart
    assert {(i.slow.model, i.fast.model) for i in found} == {("a", "b"), ("b", "c"), ("a", "c")}
    one = next(i for i in found if (i.slow.model, i.fast.model) == ("a", "b"))
    assert math.isclose(one.ratio, 1.25)
    assert one.lo < 1.25 < one.hi
    assert math.isclose(math.log(one.hi / one.lo) / 2, math.sqrt(2) * math.log(1.01 / 0.99) / 2)
    assert one.certain


def test_an_inversion_within_the_noise_is_not_certain() -> None:
    (one,), _ = inversions_of("s", [net("a", 100, 5.0, 0.05), net("b", 101, 4.9, 0.05)])
    assert not one.certain


def test_of_equal_macs_one_is_always_slower_and_counts_only_beyond_doubt() -> None:
    same, other = net("a", 100, 5.0, 0.05), net("b", 100, 4.9, 0.05)
    assert inversions_of("s", [same, other]) == ([], 1)
    (one,), _ = inversions_of("s", [same, net("b", 100, 2.0)])
    assert (one.slow.model, one.certain) == ("a", True)


def test_what_could_not_be_counted_is_told_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def counts(row: Mapping[str, object]) -> tuple[float, float]:
        raise ArtifactError("its forward takes ids, and nothing says of which shape")

    monkeypatch.setattr(ranked, "_counts", counts)
    rows = [row(3.0 + i, model=f"net{i}.py:build", macs=(i + 1) * 10**6) for i in range(5)]
    notes = analyse(load([str(write(tmp_path / "r.csv", rows))])).notes
    assert (
        notes[0]
        == "no memory access or parameters of net0.py:build: its forward takes ids, and nothing says of which shape"
    )
    assert notes[3] == "nor of 2 other networks"


def test_fewer_macs_and_faster_is_none() -> None:
    assert inversions_of("s", [net("a", 100, 4), net("b", 101, 5)]) == ([], 1)


def test_pairs_further_apart_are_told_where_they_are_inverted_beyond_doubt() -> None:
    nets = [net("tenth", 10, 5.0), net("half", 50, 4.5), net("whole", 100, 4.0), net("doubt", 80, 4.01)]
    found = extremes_of("s", nets)
    assert [(i.slow.model, i.fast.model) for i in found][:2] == [("tenth", "whole"), ("tenth", "doubt")]
    assert ("doubt", "whole") not in {(i.slow.model, i.fast.model) for i in found}


def test_equal_macs_count_as_an_inversion_whichever_stands_first() -> None:
    for order in ((4.0, 5.0), (5.0, 4.0)):
        (one,), _ = inversions_of("s", [net(f"{ms}", 100, ms) for ms in order])
        assert one.slow.latency_ms == 5.0


def test_moved_counts_ranks() -> None:
    assert moved([1, 2, 3], [10, 20, 30]) == 0
    assert moved([1, 2, 3], [10, 30, 20]) == 2


def test_settings_are_kept_apart_and_compared(csv: Path) -> None:
    found = analyse(load([str(csv)]))
    assert set(found.settings) == {"onnxruntime", "openvino"}
    assert {p.by for p in found.proxies} == {"MACs", "memory access", "parameters"}
    between = next(r for r in found.reorderings if (r.a, r.b) == ("onnxruntime", "openvino"))
    assert between.networks == 4
    assert between.moved == 2  # pplcnet, twice as slow, falls behind shufflenetv2
    (one,) = [i for i in found.inversions if i.setting == "onnxruntime"]
    assert (one.slow.model, one.fast.model) == ("shufflenetv2", "pplcnet")
    assert any("1 row without" in note for note in found.notes)


def test_floors_and_predictions_are_proxies_too(tmp_path: Path) -> None:
    nets = {"shufflenetv2": 4.0, "mobilenetv1": 8.6, "mobilenetv2": 6.8, "pplcnet": 3.1}
    rows = [row(ms, model=model, macs=10**6, floor_ms=ms / 3) for model, ms in nets.items()]
    source = write(tmp_path / "rows.csv", rows)
    of = rows[0]
    lines = [f"{model} batch={of.batch} resolution={of.resolution},{of.backend},{of.threads}" for model in nets]
    predictions = tmp_path / "p.csv"
    guessed = [",4.1", ",2", ",3", ""]  # the last could not be predicted
    table = [line + (guess or ",") for line, guess in zip(lines, guessed, strict=True)]
    predictions.write_text("\n".join(["model,backend,threads,predicted_ms", *table]))
    found = {p.by: p.correlations for p in analyse(load([str(source)]), read(predictions)).proxies}
    assert found["roofline floor"][0].value == pytest.approx(1)
    assert found["predicted time"][0].value == pytest.approx(-1)  # of the three, in the reverse order
    with pytest.raises(OutputError, match="no predictions"):
        read(source)


def test_published_devices_are_compared(csv: Path) -> None:
    found = analyse(load([str(csv)]))
    published = [r for r in found.reorderings if "(published)" in r.b]
    assert any("Snapdragon 810" in r.b for r in published)
    assert all(r.networks >= 3 for r in published)


def test_too_few_networks(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", [row(model="a"), row(model="b")])
    with pytest.raises(OutputError, match="three"):
        analyse(load([str(path)]))


@pytest.mark.parametrize("format", ["table", "csv", "json"])
def test_the_command_prints_it(csv: Path, format: str) -> None:
    said = CliRunner().invoke(command, [str(csv), "--format", format], catch_exceptions=False)
    assert said.exit_code == 0
    assert "shufflenetv2" in said.stdout
    if format == "json":
        assert {"predictors", "inversions", "extremes", "reorderings"} < set(json.loads(said.stdout))
