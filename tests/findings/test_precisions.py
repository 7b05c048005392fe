"""Two statements held against rows of several precisions: made-up latencies, and what must be said of them."""

from __future__ import annotations

import pytest

from bench.findings import precisions
from bench.report.text.precisions import section
from bench.rows.schema import Row
from tests.rows.rows import row


def rows(int8: dict[str, float], fp32: dict[str, float], runtime: str = "onnxruntime", half: float = 0.01) -> list[Row]:
    found = [row(ms, half, model=name, backend=f"{runtime}:precision=fp32") for name, ms in fp32.items()]
    for name, ms in int8.items():
        low = {"precision": "int8", "precision_effective": "int8", "macs_int8": 90, "macs_float": 10}
        more = {"quantize_ops": 4, "parity_rel_l2": 0.07, "quantization_rel_l2": 0.2}
        found.append(row(ms, half, model=name, backend=f"{runtime}:precision=int8", **low, **more))
    return found


FP32 = {"a": 4.0, "b": 5.0, "c": 6.0}


@pytest.mark.parametrize(
    ("int8", "half", "said"),
    [
        ({"a": 2.0, "b": 2.5, "c": 3.0}, 0.01, "holds"),
        ({"a": 2.0, "b": 2.5, "c": 8.0}, 0.01, "does not hold"),
        ({"a": 2.0, "b": 2.5, "c": 6.0}, 0.005, "does not hold"),  # as fast is not faster
        ({"a": 2.0, "b": 2.5, "c": 5.5}, 0.1, "inconclusive"),
    ],
)
def test_one_network_that_is_not_faster_refutes_the_statement(int8: dict[str, float], half: float, said: str) -> None:
    found = precisions.changes(rows(int8, FP32, half=half), "int8")
    assert [change.network for change in found] == ["a", "b", "c"]
    assert precisions.verdict(found) == said


def test_a_row_that_ran_in_another_precision_says_nothing_of_the_one_asked_for() -> None:
    fell = rows({"a": 2.0}, FP32)
    lowered = [row(1.0, model="a", backend="openvino:precision=int8", status="downgraded", precision="int8")]
    assert set(precisions.settings_of([*fell, *lowered])) == {
        ("onnxruntime", "fp32"), ("onnxruntime", "int8"),
    }  # fmt: skip


def test_networks_that_change_places_are_named_where_the_intervals_leave_no_doubt() -> None:
    turned = rows({"a": 3.9, "b": 2.0, "c": 5.0}, FP32)
    (swap,) = precisions.swaps(turned)
    assert (swap.first, swap.second) == ("a", "b")
    assert swap.ratios == pytest.approx((5.0 / 4.0, 2.0 / 3.9))
    assert not precisions.swaps(rows({"a": 3.9, "b": 2.0, "c": 5.0}, FP32, half=0.4))
    (order,) = precisions.orders(turned)
    assert (order.a, order.b, order.networks, order.moved) == ("onnxruntime in fp32", "onnxruntime in int8", 3, 2)


def test_settings_that_differ_in_both_are_not_compared() -> None:
    both = rows({}, FP32) + rows({"a": 3.0, "b": 2.0, "c": 1.0}, {}, "openvino")
    assert precisions.orders(both) == []
    assert precisions.swaps(both) == []


def test_the_section_says_what_the_rows_say() -> None:
    failed = row(None, model="d", backend="litert:precision=int8", status="unsupported", error="no kernel (try)")
    text = section([*rows({"a": 2.0, "b": 5.0, "c": 9.0}, FP32), failed], "results/p.csv")
    assert "| a | 4.00 | 0.50 |" in text
    assert "| a | 90%, 4, 0.07 (0.2) |" in text
    assert "onnxruntime, int8: does not hold; 1 of 3 faster; slower: c 1.50 (1.48 to 1.52); not faster: b 1.00" in text
    assert "- litert:precision=int8: unsupported, no kernel: d" in text
