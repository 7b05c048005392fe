"""The figures of ``docs/predict.md``: tables of what `benchmarks/predict_report.py` found, between two marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BEGIN, END = "<!-- figures: python -m benchmarks.predict_report -->", "<!-- end of figures -->"
SETS = {
    "outside": "Networks of timm and torchvision from outside the zoo",
    "zoo": "The zoo, a group of families left out at a time",
    "mobile": "Random networks of a search space around MobileNet V3",
    "residual": "Random networks of a search space around ResNet",
}
NAMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
HEAD = (
    *("| predictor | trained for | networks | refused | within 10% | within 5% | MAPE | rank correlation |",),
    *("in its 90% interval | interval, median |",),
)
Line = Mapping[str, Any]


def page(text: str, found: Mapping[str, Any]) -> str:
    """Return the page with its figures replaced.

    Raises:
        ValueError: the page has no marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{tables(found)}\n{END}{after}"


def tables(found: Mapping[str, Any]) -> str:
    """Return a table for each runtime and set of networks, and the circumstances."""
    lines: list[str] = []
    for backend, runtime in NAMES.items():
        for name, title in SETS.items():
            rows = [r for r in found["rows"] if (r["backend"], r["set"]) == (backend, name)]
            if rows:
                lines += [f"**{title}, {runtime}**", "", " ".join(HEAD), "|" + " --- |" * 10]
                lines += [_row(row) for row in rows]
                lines.append("")
    return "\n".join([*lines, *_circumstances(found)])


def headline(found: Mapping[str, Any], backend: str = "onnxruntime", budget_s: float = 600.0) -> str:
    """Say in a line how accurate predictions of networks from outside are; empty where that was not measured."""
    wanted = {"backend": backend, "set": "outside", "predictor": "bench predict", "training_s": budget_s}
    row = next((r for r in found["rows"] if wanted.items() <= r.items()), None)
    if row is None:
        return ""
    return (
        f"{_percent(row['within_10'])} of {row['networks']} networks that it never met within 10%, "
        f"{_percent(row['within_5'])} within 5%, mean error {row['mape']:.1%}"
    )


def _row(row: Line) -> str:
    trained = "" if row["training_s"] is None else f"{row['training_s'] / 60:.0f} min"
    cells = [
        row["predictor"], trained, str(row["networks"]), str(row["refused"]), _percent(row["within_10"]),
        _percent(row["within_5"]), "" if row["mape"] is None else f"{row['mape']:.1%}",
        "" if row["spearman"] is None else f"{row['spearman']:.3f}", _percent(row["covered"]),
        "" if row["half_width"] is None else f"±{row['half_width']:.0%}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _circumstances(found: Mapping[str, Any]) -> Sequence[str]:
    listed, frozen = found["networks_listed"], found["frozen"]
    counts = "; ".join(
        f"{name}: {c['made']} of {c['listed']} listed could be made, {c['onnxruntime']} were measured"
        f" in ONNX Runtime, {c['openvino']} in OpenVINO"
        for name, c in listed["sets"].items()
    )
    lines = [f"Networks. {counts}."]
    if listed["left_out"]:
        names = "; ".join(f"{_plain(name)} ({why})" for name, why in sorted(listed["left_out"].items()))
        lines += ["", f"Left out before they were measured: {names}."]
    if "at" in frozen:
        lines += ["", f"The law was fixed on {frozen['at']}, the first of these networks was measured on"]
        lines[-1] += f" {frozen['first_measured_at']}; what predicts today is {frozen['law']}, the list is"
        lines[-1] += f" {frozen['networks']}."
    for row in found["training"]:
        lines += [
            "",
            f"{NAMES[row['backend']]}, a budget of {row['budget_s'] / 60:.0f} minutes: {row['spent_s']:g} s on the"
            f" device, {row['kernels']} kernels and {row['anchors']} networks.",
        ]
    return [*lines, ""]


def _plain(name: str) -> str:
    return name.partition(" ")[0]
