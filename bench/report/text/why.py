"""``docs/findings-why.md``: why guidelines fail here, each explanation with the experiment that tells it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from bench.base.escape import markdown, markdown_cell, plain
from bench.findings.evaluate import Result
from bench.findings.store import Evidence
from bench.findings.verdict import MARGIN
from bench.findings.why import (
    AS_IT_COMES,
    FULL,
    GPU_CORE,
    ISA,
    LOST,
    SWEEPS,
    Point,
    held_results,
    padded,
    points,
    split,
    without_kernel,
)
from bench.report.text.papers import effect_cell, published_cell

BLOCKS = (1, 4, 8, 16)
STEP = 4  # channels: runtimes choose other kernels for those that are no multiple of it
ANOTHER = 1.5  # times as long as the neighbours: no blocks explain that
SHOWN = (18, 34, 50)  # two channels past a block of 16; a sweep in steps of four has those two further on


def page(results: Sequence[Result], file: str, evidence: Evidence) -> str:
    """Return the page, with every number from evidence: `results` are those of findings, on all machines."""
    sweeps, held = points(evidence), held_results(evidence)
    runtimes = " and ".join(dict.fromkeys(split(r.backend)[0] for r in held))
    lines = [
        "# Why a guideline fails here",
        "",
        "Short experiments, each of which tells one explanation from another. They are no claims of a paper and have "
        f"no verdict. {_machine(evidence, file)} What became of the claims: [findings.md](findings.md).",
        "",
        "## Channels come in blocks",
        "",
        "![Time per MAC of stacks of 16 to 64 channels: it jumps where a new block of channels begins.]"
        "(img/findings-channels.svg)",
        "",
        "*Ten 1x1 convolutions, or ten depthwise 3x3, at 56x56 pixels on one thread: time per MAC, that of 64 channels "
        "being 1. Grey: what whole blocks of 16 would take.*",
        "",
        *_channels(sweeps),
        "",
        "## G1 and G2 with whole blocks",
        "",
        *_aligned(results),
        "",
        "## Table 8 under older instructions",
        "",
        f"![Effects in {runtimes} as it comes, held to AVX2, and held to SSE4.1, beside the published ones.]"
        "(img/findings-instructions.svg)",
        "",
        "*The same two networks on one thread, under three sets of instructions; the line is what was published, on a "
        "Snapdragon 810 (Table 8), a GTX 1080 Ti (G1 to G3) and a Xeon with ten threads (LC-04).*",
        "",
        *_instructions(held, evidence),
        "",
        "OpenVINO and PyTorch compute convolutions in oneDNN, which can be held to older instructions by a variable "
        "that a process begins with (`openvino:isa=avx2`, `torch:isa=avx2`). ONNX Runtime's MLAS chooses its kernels "
        "by what the CPU says of itself, and has no such setting; OpenVINO's last product, `gemm_mlas`, is MLAS's, "
        "too, and is not held.",
    ]
    return "\n".join(lines) + "\n"


def _machine(evidence: Evidence, file: str) -> str:
    told = evidence.header["environment"]
    return (
        f"Measured on {markdown(str(told['cpu']))} ({markdown(str(told['microarchitecture']))}), one thread, fp32; "
        f"{len(evidence.replicates)} replicates, begun {evidence.header['started_at'][:10]}; evidence: "
        f"`{plain(file)}` (`python -m benchmarks.why`)."
    )


def _channels(sweeps: Sequence[Point]) -> list[str]:
    """Say how much more time per MAC a few channels past a block take, and which block the sweep is explained by."""
    lines = [
        f"| stack | runtime | {' | '.join(f'{c} channels' for c in SHOWN)} | no multiple of {STEP} | block that fits "
        "best | left with it | left without blocks |",
        f"| --- | --- |{' ---: |' * (len(SHOWN) + 4)}",
    ]
    said, broken = [], []
    for kind in SWEEPS:
        for backend in dict.fromkeys(p.backend for p in sweeps if p.kind == kind):
            mine = [p for p in sweeps if p.kind == kind and p.backend == backend]
            known = {p.channels: p for p in mine}
            left = {block: spread([p for p in mine if p.channels % STEP == 0], block) for block in BLOCKS}
            block = min(left, key=lambda one: left[one])
            odd = beside(mine)
            cells = [*(f"{known[c].time:.2f}" if c in known else "" for c in SHOWN), f"{odd:.2f}" if odd else ""]
            lines.append(f"| {kind} | {backend} | {' | '.join(cells)} | {block if block > 1 else 'none'} | "
                         f"{left[block]:.0%} | {left[1]:.0%} |")  # fmt: skip
            said.append(f"{backend} ({kind}) {block if block > 1 else 'none'}")
            if odd and odd > ANOTHER:
                broken.append(f"{odd:.1f} times as long in {backend} ({kind})")
    text = (f"Time per MAC, that of {FULL} channels being 1. *No multiple of {STEP}*: such stacks over the mean of "
            f"both neighbours, which are. *Left*: by how much stacks of multiples of {STEP} still differ (standard "
            "deviation) once each is divided by the MACs that whole blocks of so many channels compute. Blocks that "
            f"explain the sweeps: {', '.join(said)}.")  # fmt: skip
    if broken:
        text += f" Channels that are no multiple of {STEP} take {', '.join(broken)}: another kernel runs."
    return [*lines, "", text]


def beside(sweep: Sequence[Point]) -> float | None:
    """Return by how much stacks whose channels are no multiple of `STEP` exceed their neighbours (median)."""
    known = {p.channels: p.time for p in sweep}
    found = [time / statistics.fmean((known[c - 2], known[c + 2])) for c, time in known.items()
             if c % STEP and c - 2 in known and c + 2 in known]  # fmt: skip
    return statistics.median(found) if found else None


def spread(sweep: Iterable[Point], block: int) -> float:
    """Return the standard deviation of log time per MAC over what blocks of so many channels would compute."""
    return statistics.stdev(math.log(p.time / padded(p.kind, p.channels, block)) for p in sweep)


def _aligned(results: Sequence[Result]) -> list[str]:
    """Set effects of the paper's channels beside those of whole blocks, for the GPU's own experiments."""
    found = {
        (r.experiment.name, r.where): r for r in results if r.experiment and r.found and r.finding.id in "G1 G2 G3"
    }
    lines = ["| experiment | published | runtime | the paper's channels | whole blocks | padding and layout |",
             "| --- | --- | --- | --- | --- | ---: |"]  # fmt: skip
    for name in GPU_CORE:
        for (title, where), r in found.items():
            if title == name and r.found is not None and r.experiment is not None:
                other = found.get((f"{name}, aligned", where))
                cells = [effect_cell(r), "the same", "1"]
                if other is not None and other.found is not None:
                    cells[1:] = [effect_cell(other), f"{math.exp(r.found.log - other.found.log):.2f}"]
                head = [f"{r.finding.id}: {markdown_cell(name)}", published_cell(r), markdown_cell(where)]
                lines.append(f"| {' | '.join([*head, *cells])} |")
    return [*lines, "", "With whole blocks in each group what the guideline says is left; the quotient is what padding "
            "and a change of layout cost. G3's fragments are whole blocks in the paper already."]  # fmt: skip


def _instructions(held: Sequence[Result], evidence: Evidence) -> list[str]:
    """Set effects under each set of instructions beside the published ones, runtime by runtime."""
    by: dict[str, dict[tuple[str, str], dict[str, Result]]] = {}
    for r in held:
        assert r.experiment is not None
        runtime, isa = split(r.backend)
        by.setdefault(runtime, {}).setdefault((r.finding.id, r.experiment.name), {})[isa] = r
    columns = [
        (runtime, isa) for runtime, rows in by.items() for isa in ISA.values() if any(isa in m for m in rows.values())
    ]
    lines = [f"| finding | experiment | published | {' | '.join(f'{runtime}, {isa}' for runtime, isa in columns)} |",
             f"| --- | --- | --- |{' --- |' * len(columns)}"]  # fmt: skip
    for key in dict.fromkeys(key for rows in by.values() for key in rows):
        mine = {(runtime, isa): r for runtime, rows in by.items() for isa, r in rows.get(key, {}).items()}
        cells = [effect_cell(mine[column]) if column in mine else "" for column in columns]
        first = next(iter(mine.values()))
        lines.append(f"| {key[0]} | {markdown_cell(key[1])} | {published_cell(first)} | {' | '.join(cells)} |")
    for runtime, rows in by.items():
        isas = [isa for name, isa in columns if name == runtime]
        whole = [m for (id, _), m in rows.items() if id.startswith("T8") and all(isa in m for isa in isas)]
        fair = [m for m in whole if not any(without_kernel(m[isa], m) for isa in isas)]
        if fair:
            told = "; ".join(_told(fair, isa) for isa in isas)
            lines += ["", f"{runtime}: of {len(fair)} pairs of Table 8, {told}. {_ran(runtime, evidence)}"]
        if len(fair) < len(whole):
            lines += ["", f"{len(whole) - len(fair)} pairs are left out of that, and of the picture under that set: "
                      f"a network takes more than {LOST} times as long there as it comes, for want of a kernel. "
                      "ShuffleNet V2 at 1x and 2x has 58 and 122 channels, no multiples of 4; at 0.5x and 1.5x it has "
                      "24 and 88, and is not among them."]  # fmt: skip
    return lines


def _told(pairs: Sequence[dict[str, Result]], isa: str) -> str:
    """Say how many effects go the published way under these instructions, and how much of the way there they are."""
    way, share = 0, []
    for mine in pairs:
        r, native = mine[isa], mine.get(AS_IT_COMES)
        published = r.experiment.log_published if r.experiment else None
        if r.found is not None and published is not None:
            way += math.copysign(1, published) * r.found.log > MARGIN
            if native is not None and native.found is not None and native is not r:
                share.append((r.found.log - native.found.log) / (published - native.found.log))
    moved = f", {statistics.median(share):.0%} of the way there from {AS_IT_COMES} (median)" if share else ""
    return f"{isa}, {way} go the published way{moved}"


def _ran(runtime: str, evidence: Evidence) -> str:
    """Say what a runtime tells of the instructions that ran."""
    said = []
    for option, isa in ISA.items():
        spec = f"{runtime}{option}"
        ran = [side["inspected"]["effective"]["settings"] for line in evidence.replicates
               if line["backend"] == spec for side in line["sides"].values() if "inspected" in side]  # fmt: skip
        kernels = sorted({k for one in ran for key in ("onednn kernels", "kernels")
                          for k in str(one.get(key, "")).split(", ") if any(c.isdigit() for c in k)})  # fmt: skip
        aten = {str(one["cpu capability"]) for one in ran if "cpu capability" in one}
        told = [*(f"ATen's {plain(name)}" for name in sorted(aten)), *(f"`{plain(k)}`" for k in kernels)]
        if told:
            said.append(f"{isa}: {', '.join(told)}")
    return f"What ran, by its own word: {'; '.join(said)}." if said else ""
