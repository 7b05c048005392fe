"""Why rows are not ok: what they share is said once."""

from __future__ import annotations

from bench.api.results import Results
from bench.rows.reasons import reasons
from bench.rows.schema import Row

MISSING = "PyTorch is not installed (pip install 'isoflops[zoo]')"


def row(model: str, status: str = "unsupported", error: str = MISSING, **columns: object) -> Row:
    return Row(model=model, backend="onnxruntime", status=status, error=error, **columns)  # type: ignore[arg-type]


def test_one_reason_of_many_networks_is_said_once() -> None:
    rows = [row(f"net{i}") for i in range(10)]
    assert reasons(rows) == [f"unsupported: 10 networks on onnxruntime: {MISSING}"]
    assert Results(tuple(rows))._repr_html_().count("is not installed") == 1


def test_one_or_two_are_named() -> None:
    assert reasons([row("a")]) == [f"unsupported: a on onnxruntime: {MISSING}"]
    assert reasons([row(name) for name in "ab"]) == [f"unsupported: {name} on onnxruntime: {MISSING}" for name in "ab"]


def test_other_reasons_keep_their_rows_and_remarks_follow() -> None:
    rows = [
        row("a", threads=1),
        row("a", threads=2),
        row("a", threads=4),
        row("b", "noisy", "wide"),
        row("c", "ok", "", remark="r"),
    ]
    assert reasons(rows) == [
        f"unsupported: 3 cases on onnxruntime: {MISSING}",
        "noisy: b on onnxruntime: wide",
        "remark: c on onnxruntime: r",
    ]


def test_networks_on_several_backends_are_cases_of_none() -> None:
    rows = [row("a"), row("b"), row("c")]
    rows.append(Row(model="a", backend="openvino", status="unsupported", error=MISSING))
    assert reasons(rows) == [f"unsupported: 4 cases: {MISSING}"]
