"""``bench devices``: what it prints is of others, and says so."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.base.errors import UnknownName, UsageError
from bench.cli.devices import command
from tests.rows.rows import row, write


def run(*args: str) -> Result:
    done = CliRunner().invoke(command, args, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def records(*args: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(run(*args, "--format", "csv").stdout)))


def test_the_table_filters_and_says_whose_it_is() -> None:
    found = records("--class", "server CPU", "--runtime", "ncnn", "--threads", "64")
    assert found
    assert {one["class"] for one in found} == {"server CPU"}
    assert all("64" in one["threads"] for one in found)
    assert "published by others" in run("--class", "NPU").stdout


def test_a_device_with_every_row_and_its_doubts() -> None:
    found = records("show", "Raspberry Pi 5")
    assert {one["network"] for one in found} >= {"mobilenet", "shufflenet_v2"}
    assert all(one["source"].startswith("benchmark/README.md@") for one in found)
    assert "status" not in found[0]
    assert not [name for name in found[0] if name.endswith(("lo_ms", "hi_ms"))]
    assert any(one["doubt"] for one in records("show", "AX620A"))
    assert "none has an interval or a status" in run("show", "AX620A").stdout


def test_ranks_as_a_table_and_as_data() -> None:
    found = json.loads(run("rank", "--class", "NPU", "--least", "7", "--format", "json").stdout)
    assert found
    assert all(-1 <= one["spearman"] <= 1 and one["n"] >= 7 and one["by"] == "MACs" for one in found)
    assert all(one["spearman_lo"] <= one["spearman_hi"] for one in found)
    text = run("rank", "--class", "NPU", "--least", "7").stdout
    assert "rank correlation by class" in text
    both = records("rank", "--class", "NPU", "--least", "7", "--networks", "both", "--by", "all")
    assert {one["networks"] for one in both} == {"mobile", "all"}
    assert {one["by"] for one in both} == {"MACs", "parameters", "memory access"}


def test_like_names_devices_and_gives_intervals(tmp_path: Path) -> None:
    times = {"mobilenetv1": 9.0, "shufflenetv2": 4.0, "resnet18": 30.0}
    path = str(write(tmp_path / "r.csv", [row(ms, model=model) for model, ms in times.items()]))
    found = records("like", path)
    assert len(found) >= 12
    assert all(float(e["estimate_lo_ms"]) < float(e["estimate_ms"]) < float(e["estimate_hi_ms"]) for e in found)
    told = json.loads(run("like", path, "--format", "json").stdout)
    assert len(told[0]["nearest"]) == 5
    assert "no measurements" in run("like", path).stdout


def test_of_many_networks_those_count_that_devices_share(tmp_path: Path) -> None:
    """A whole zoo was measured, and no published device has all of it."""
    names = (
        "mobilenetv1",
        "shufflenetv2",
        "resnet18",
        "mobilenetv2",
        "squeezenet:version=1.1",
        "vgg:depth=11",
        "densenet121",
    )
    path = str(write(tmp_path / "r.csv", [row(5.0 + i, model=model) for i, model in enumerate(names)]))
    (told,) = json.loads(run("like", path, "--format", "json").stdout)
    assert {"mobilenetv1 224 px", "shufflenetv2 224 px", "resnet18 224 px"} <= set(told["known"])
    assert not {"vgg:depth=11 224 px"} & {one["network"] for one in told["estimates"]}


@pytest.mark.parametrize(
    ("args", "error", "said"),
    [
        (("--class", "phone"), UnknownName, "no class named 'phone'"),
        (("--threads", "4095"), UsageError, "no published setting is like that"),
        (("show", "commodore"), UnknownName, "no published device named 'commodore'"),
        (("chart", "pairs", "--output", "x.pdf"), UsageError, "does not end in"),
        (("rank", "--class", "GPU", "--least", "500"), UsageError, "no setting of these has 500 such networks"),
    ],
)
def test_what_is_not_there_says_so(args: tuple[str, ...], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        run(*args)


@pytest.mark.parametrize("kind", ["order", "pairs"])
def test_a_picture_draws_without_a_warning(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vl_convert")
    path = tmp_path / f"{kind}.svg"
    run("chart", kind, "--output", str(path))
    text = path.read_text("utf-8")
    assert text.startswith("<svg")
    assert "server CPU" in text
    assert ("the order of MACs is that of latencies" in text) == (kind == "order")
    assert "WARN" not in capfd.readouterr().err
