from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.findings.conditions import Conditions
from bench.findings.evaluate import Result
from bench.findings.family import Expected
from bench.findings.finding import PRINTED, Experiment, Finding, follows
from bench.findings.machines import labelled
from bench.findings.side import Side
from bench.findings.store import Evidence
from bench.findings.verdict import AGREES, NONE, WEAKER
from bench.report.causes import BETWEEN, DENSE, Pair
from bench.report.text.answer import Machine
from bench.report.text.findings import front, page, paper, slug, titles
from bench.report.text.papers import split
from bench.stats.ratio import Effect

A, B, C = (Side(f"stack/conv:c={c}") for c in (16, 18, 32))
PAPER = Experiment("x", A, B, 2.0, "GTX 1080Ti", channels="paper", origin=PRINTED)
ALIGNED = Experiment("x, aligned", A, C, 2.0, "GTX 1080Ti", channels="aligned")
FINDING = Finding(
    "G9", "things cost time", "Paper, Table 9", "GhostNet", (PAPER, ALIGNED), note="A note.", headline="x"
)
HERE, THERE = Conditions("x86 CPU", "onnxruntime", "1", "1", "fp32"), Conditions("GPU", "cudnn")
MACHINE = {"cpu": "Xeon", "microarchitecture": "icelake", "cores": 2, "hypervisor": "yes", "os": "Debian"}
EVIDENCE = Evidence(header={"environment": MACHINE, "started_at": "2026-01-02T00:00:00"})


def result(experiment: Experiment, ratio: float, grade: str, padding: float | None = None) -> Result:
    found = Effect(math.log(ratio), math.log(ratio) - 0.01, math.log(ratio) + 0.01, 5)
    return Result(FINDING, experiment, "onnxruntime", found, grade, padding=padding, here=HERE, there=THERE,
                  a_ms=1.0, b_ms=ratio, macs=(20.0, 20.1), printed_macs=(None, 25.0), replica=str(experiment.b),
                  measurement=("onnxruntime", "", str(experiment.a), str(experiment.b)))  # fmt: skip


BOTH = [result(PAPER, 1.5, WEAKER), result(ALIGNED, 1.0, NONE)]


def test_the_effect_is_split_into_the_guideline_and_padding() -> None:
    (said,) = split([result(PAPER, 1.5, WEAKER, 1.25), result(ALIGNED, 1.2, WEAKER)])
    assert "(x in onnxruntime): 1.50; with aligned channels 1.20 remain, the other factor of 1.25" in said
    assert "1.25 times the MACs" in said


def test_nothing_is_split_where_both_have_the_same_channels() -> None:
    same = Experiment("x, aligned", A, B, 2.0, "a GPU", channels="aligned")
    assert list(split([result(PAPER, 1.5, WEAKER), result(same, 1.5, WEAKER)])) == []


def test_the_page_has_machine_totals_table_and_reasons() -> None:
    text = page(BOTH, EVIDENCE)
    assert "Measured on Xeon (icelake), 2 cores, virtual machine, Debian" in text
    assert "2 effects are listed, from 2 distinct measurements and 0 counts." in text
    assert "| GPU | 1 | 1 |" in text
    assert (
        "Things cost time (Paper, Table 9). Headline, x: 1.5 (1.49 to 1.52) in onnxruntime, transfers, weaker." in text
    )
    assert "Here: x86 CPU, onnxruntime, 1 thread, batch 1, fp32. Published: GTX 1080Ti, GPU, cudnn." in text
    assert "| **x** ≈ | the paper's | 20, 20.1 (printed 25) | 2 | 1.5 (1.49 to 1.52) | transfers, weaker |" in text
    assert "| 1 (0.99 to 1.01) | does not transfer |" in text
    assert "A note." in text
    assert "| GN-01 |" in text
    assert "Not measured in this run" in text


ALONE = Machine("", "f.jsonl", EVIDENCE, (), Expected(3, 0.6, 0.2))


def test_a_page_per_paper_has_its_own_claims_alone() -> None:
    assert "## G9" in paper("GhostNet", BOTH, [ALONE])
    other = paper("PP-LCNet", BOTH, [ALONE])
    assert "G9" not in other
    assert "| LC-09 |" in other
    assert len({slug(title) for title in titles()}) == len(titles())


def test_the_front_page_begins_with_the_answer() -> None:
    question = follows("mobilenetv1", "mobilenetv2", "V2 against V1")
    ours = Finding("PAIRS", "equal MACs, equal time", "ours", "isoflops", (question,))
    own = replace(result(question, 1.6, "same direction, stronger"), finding=ours)
    pair = Pair("mobilenetv1", "mobilenetv2", (20.0, 20.0), {"onnxruntime": (1.0, 1.6)},
                {"onnxruntime": Effect(0.47, 0.46, 0.48, 4)},
                {"onnxruntime": ({DENSE: 0.9, BETWEEN: 0.1}, {DENSE: 0.5, BETWEEN: 0.5})})  # fmt: skip
    text = front([*BOTH, own], [replace(ALONE, pairs=(pair,))], BOTH[:1])
    said, answer = text.split("\n\n")[1:3]
    assert said == "**FLOPs do not tell the speed.**"
    assert "\n- Measured: 3 measurements on one core of Xeon" in answer
    assert all(line.startswith("- ") for line in answer.splitlines())
    assert "`mobilenetv2` takes 1.6 times as long as `mobilenetv1`" in answer
    assert "Of 1 published effects on time" in answer
    assert text.index("findings-effects.svg") < text.index("findings-pairs.svg") < text.index("## Ten pairs")
    assert "Questions of our own: 1; 1 does not follow the MACs." in text
    assert "Machines side by side" not in text
    parts = pair.difference("onnxruntime")
    assert parts is not None
    assert math.fsum(parts.values()) == pytest.approx(math.exp(0.47) - 1)
    assert f"{parts[DENSE]:+.2f}" in text


def test_what_nobody_published_is_never_printed_as_published() -> None:
    question = follows("mobilenetv1", "mobilenetv2", "V2 against V1")
    ours = Finding("MACS", "time follows", "ours", "isoflops", (question,))
    text = page([replace(result(question, 1.0, AGREES), finding=ours)], EVIDENCE)
    assert "Nothing is published." in text
    assert "follows the MACs" in text
    assert "Published:" not in text


def test_machines_stand_side_by_side() -> None:
    """Two machines: effects are counted per machine, columns name it, and where they differ is told."""
    turned = [replace(r, found=r.found.inverse if r.found else None) for r in BOTH]
    results = [*labelled(BOTH, "Ice Lake"), *labelled(turned, "Zen 4")]
    machines = [replace(ALONE, name=name) for name in ("Ice Lake", "Zen 4")]
    text = front(results, machines, results[:1])
    answer = text.split("\n\n")[2]
    assert (
        "- Measured: 2 measurements on one core of Xeon (Ice Lake) in onnxruntime and 2 measurements on one" in answer
    )
    here = results[0].here
    assert here is not None
    two = replace(results[0], here=replace(here, threads="2"))
    assert "2 measurements on one core (1 of them on more) of Xeon" in front([two, *results[1:]], machines, results[:1])
    assert "of 2 effects that several machines have, 1 agree, 1 turn round" in answer
    assert "## Machines side by side" in text
    row = next(line for line in text.splitlines() if line.startswith("| [G9]") and "turned round" in line)
    assert "| 2 | 1.5 (1.49 to 1.52) | 0.667 (0.66 to 0.673) | turned round |" in row
    assert "**Zen 4**: 2 effects are listed, from 2 distinct measurements" in text
    page = paper("GhostNet", results, machines)
    assert "| onnxruntime, Ice Lake | onnxruntime, Zen 4 | machines |" in page
    assert "1.5 (1.49 to 1.52)<br>transfers, weaker | 0.667 (0.66 to 0.673)<br>" in page
    assert "onnxruntime: turned round |" in page
    assert "1.5 (1.49 to 1.52) in onnxruntime on Ice Lake, transfers, weaker; 0.667" in page
