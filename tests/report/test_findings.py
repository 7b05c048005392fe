from __future__ import annotations

import math

from bench.findings.evaluate import Result
from bench.findings.finding import Experiment, Finding
from bench.findings.side import Side
from bench.findings.store import Evidence
from bench.report.text.findings import page, split
from bench.stats.ratio import Effect

A, B, C = (Side(f"stack/conv:c={c}") for c in (16, 18, 32))
PAPER = Experiment("x", A, B, 2.0, "a GPU", channels="paper")
ALIGNED = Experiment("x, aligned", A, C, 2.0, "a GPU", channels="aligned")
FINDING = Finding("G9", "things cost time", "Paper, Table 9", "Paper", (PAPER, ALIGNED), note="A note.")


def result(experiment: Experiment, ratio: float, verdict: str, padding: float | None = None) -> Result:
    log = math.log(ratio)
    return Result(FINDING, experiment, "onnxruntime", Effect(log, log - 0.01, log + 0.01, 5), verdict, padding=padding)


def test_the_effect_is_split_into_the_guideline_and_padding() -> None:
    (said,) = split([result(PAPER, 1.5, "reproduced", 1.25), result(ALIGNED, 1.2, "not reproduced")])
    assert "(x): 1.50; with aligned channels 1.20 remain, the other factor of 1.25" in said
    assert "1.25 times the MACs" in said


def test_nothing_is_split_where_both_have_the_same_channels() -> None:
    same = Experiment("x, aligned", A, B, 2.0, "a GPU", channels="aligned")
    assert list(split([result(PAPER, 1.5, "reproduced"), result(same, 1.5, "reproduced")])) == []


def test_the_page_has_machine_totals_table_and_reasons() -> None:
    machine = {"cpu": "Xeon", "microarchitecture": "icelake", "cores": 2, "hypervisor": "yes", "os": "Debian"}
    evidence = Evidence(header={"environment": machine, "started_at": "2026-01-02T00:00:00"})
    text = page([result(PAPER, 1.5, "reproduced"), result(ALIGNED, 1.0, "not reproduced")], evidence)
    assert "Measured on Xeon (icelake), 2 cores, virtual machine, Debian" in text
    assert "Findings: 1. Effects: 2; 1 reproduced, 1 not reproduced." in text
    effect = "1.5 (1.49 to 1.52) | 2 (a GPU) | reproduced |"
    assert f"| [G9](#g9) | onnxruntime | x | {effect} 1 reproduced, 1 not reproduced |" in text
    assert f"| x | the paper's | onnxruntime | {effect}\n" in text
    assert "Things cost time (Paper, Table 9). On onnxruntime: x:" in text
    assert "A note." in text
    assert "| SV1-09 |" in text
    assert "Not measured in this run" in text
