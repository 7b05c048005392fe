"""Which rows are shown, in which order, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.base.errors import BenchError
from bench.rows.fields import family, find, natural
from bench.rows.select import Selection, read, select
from bench.rows.where import parse
from tests.rows.rows import row, write

ROWS = [
    row(8.0, model="mobilenetv1", macs=569_000_000, backend="onnxruntime", threads=1),
    row(4.0, model="shufflenetv2", macs=146_000_000, backend="onnxruntime", threads=1),
    row(3.0, model="shufflenetv2", macs=146_000_000, backend="openvino", threads=2),
    row(2.0, model="shufflenetv2:width=0.5", macs=41_000_000, backend="openvino", threads=10, status="noisy"),
    row(1.0, model="mobilenetv3-small", macs=57_000_000, backend="onnxruntime", threads=10),
    row(None, model="pplcnet", macs=None, status="timeout"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "r.csv", ROWS)


def shown(path: Path, *filters: str, sort: str = "latency", groups: tuple[str, ...] = (), **how: object) -> Selection:
    conditions, by, within = parse(filters), find(sort), [find(name) for name in groups]
    return select(read([str(path)], [*(f.field for f in conditions), by, *within]), conditions, within, by, **how)


def models(selection: Selection) -> list[str]:
    return selection.frame["model"].astype(str).tolist()


@pytest.mark.parametrize(
    ("filters", "latencies"),
    [
        (["family=shufflenetv2"], [2, 3, 4]),
        (["family=mobilenetv3"], [1]),  # mobilenetv3-small is another name of one of its networks
        (["macs<150M"], [1, 2, 3, 4]),
        (["macs>=0.146G", "backend=openvino"], [3]),
        (["backend=openvino", "backend=torch"], [2, 3]),
        (["backend!=openvino", "status=ok"], [1, 4, 8]),
        (["model=shuffle*"], [2, 3, 4]),
        (["model~WIDTH"], [2]),
        (["threads>1"], [1, 2, 3]),
        (["threads=10"], [1, 2]),
        (["interval<2%", "latency<=3"], [1, 2, 3]),
        (["day>=2026-03-01", "day<2026-03-02", "status!=timeout"], [1, 2, 3, 4, 8]),
        (["day>2026-03-01"], []),
    ],
)
def test_filters(path: Path, filters: list[str], latencies: list[float]) -> None:
    found = shown(path, *filters)
    assert found.frame["latency_ms"].dropna().tolist() == latencies
    gone = len(ROWS) - len(found.frame)
    assert found.left_out == (f"{gone} by --where",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("latency", "is no filter"),
        ("", "is no filter"),
        ("colour=red", "no column named 'colour'"),
        ("latencies<3", "no column named 'latencies'"),
        ("macs<many", "'many' is no number"),
        ("macs<3T", "'3T' is no number"),
        ("macs~3", "macs is a number"),
    ],
)
def test_what_is_no_filter(text: str, says: str) -> None:
    with pytest.raises(BenchError, match=says) as caught:
        parse([text])
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_order(path: Path) -> None:
    assert shown(path).frame["latency_ms"].tolist()[:5] == [1, 2, 3, 4, 8]
    assert models(shown(path))[-1] == models(shown(path, reverse=True))[-1] == "pplcnet"  # it has no latency
    assert shown(path, reverse=True).frame["latency_ms"].tolist()[:5] == [8, 4, 3, 2, 1]
    assert models(shown(path, sort="macs"))[0] == "shufflenetv2:width=0.5"
    assert models(shown(path, sort="name"))[0] == "mobilenetv1"
    assert shown(path, sort="threads").frame["threads"].astype(int).tolist() == [1, 1, 1, 2, 10, 10]


def test_numbers_in_names_are_in_the_order_of_numbers() -> None:
    assert sorted(["net10", "net9", "net:width=1.5", "Net:width=0.25"], key=natural) == [
        "net9", "net10", "Net:width=0.25", "net:width=1.5"
    ]  # fmt: skip


def test_groups_keep_rows_together_and_top_counts_in_each(path: Path) -> None:
    found = shown(path, groups=("backend", "threads"))
    assert [(key, len(rows)) for key, rows in found.parts()] == [
        (("onnxruntime", "1"), 3), (("onnxruntime", "10"), 1), (("openvino", "2"), 1), (("openvino", "10"), 1)
    ]  # fmt: skip
    found = shown(path, groups=("backend",), top=1)
    assert found.frame["latency_ms"].tolist() == [1, 2]
    assert found.left_out == ("4 beyond --top 1 of each group",)
    assert models(shown(path, groups=("family",), top=1)).count("shufflenetv2:width=0.5") == 1


def test_the_newest_row_of_a_case_is_shown(tmp_path: Path) -> None:
    old, new = (f"2026-03-0{day}T00:00:00+00:00" for day in (1, 2))
    rows = [row(5.0, started_at=new), row(4.0, started_at=old), row(4.0, started_at=old, pace_ms=33.0)]
    path = write(tmp_path / "r.csv", [*rows, row(3.0, started_at=old, target="arm")])
    found = shown(path)
    assert sorted(found.frame["latency_ms"]) == [3, 4, 5]  # another target or pace is another case
    assert found.left_out == ("1 older row of the same cases (--all)",)
    assert len(shown(path, every=True).frame) == 4
    assert shown(path, "day=2026-03-01", "target=local").frame["latency_ms"].tolist() == [4, 4]


def test_families() -> None:
    named = {"shufflenetv2:width=0.5": "shufflenetv2", "mobilenetv3-small": "mobilenetv3", "/x/net.onnx": "net.onnx"}
    assert {name: family(name) for name in named} == named
    assert family("=::") == "=::"
