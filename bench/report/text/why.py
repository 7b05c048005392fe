"""``docs/findings-why.md``: why guidelines fail here, each explanation with the experiment that tells it from others."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from bench.base.escape import markdown, markdown_cell, plain
from bench.findings.evaluate import Result
from bench.findings.store import Evidence
from bench.findings.verdict import MARGIN
from bench.findings.why import FULL, GPU_CORE, ISA, SWEEPS, Point, held_results, padded, points
from bench.report.text.papers import effect_cell, published_cell

BLOCKS = (1, 4, 8, 16)
SHOWN = (18, 34, 50)  # two channels past a block of 16; a sweep in steps of four has those two further on


def page(results: Sequence[Result], file: str, evidence: Evidence) -> str:
    """Return the page, with every number from evidence: `results` are those of findings, on all machines."""
    sweeps, held = points(evidence), held_results(evidence)
    lines = [
        "# Why a guideline fails here",
        "",
        "Short experiments, each of which tells one explanation from another. They are no claims of a paper and have no "
        f"verdict. {_machine(evidence, file)} What became of the claims: [findings.md](findings.md).",
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
        "![Effects in PyTorch as it comes, held to AVX2, and held to SSE4.1, beside the published ones.]"
        "(img/findings-instructions.svg)",
        "",
        "*The same two networks in PyTorch on one thread, under three sets of instructions; the line is what was "
        "published, on a Snapdragon 810 (Table 8), a GTX 1080 Ti (G1 to G3) and a Xeon with ten threads (LC-04).*",
        "",
        *_instructions(held, evidence),
        "",
        "ONNX Runtime (MLAS) and OpenVINO choose their kernels by what the CPU says of itself, and their wheels have no "
        "setting that holds them to less: oneDNN's variable changes nothing in OpenVINO, whose build leaves it out. So "
        "this question is asked of PyTorch alone (`torch:isa=avx2`).",
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
        f"| stack | runtime | {' | '.join(f'{c} channels' for c in SHOWN)} | block that fits best | left with it | left "
        "without blocks |",
        f"| --- | --- |{' ---: |' * len(SHOWN)} ---: | ---: | ---: |",
    ]
    best: dict[tuple[str, str], int] = {}
    for kind in SWEEPS:
        for backend in dict.fromkeys(p.backend for p in sweeps if p.kind == kind):
            mine = [p for p in sweeps if p.kind == kind and p.backend == backend]
            known = {p.channels: p for p in mine}
            left = {block: spread(mine, block) for block in BLOCKS}
            best[kind, backend] = min(left, key=lambda block: left[block])
            cells = [f"{known[c].time:.2f}" if c in known else "" for c in SHOWN]
            block = best[kind, backend]
            lines.append(f"| {kind} | {backend} | {' | '.join(cells)} | {block if block > 1 else 'none'} | "
                         f"{left[block]:.0%} | {left[1]:.0%} |")  # fmt: skip
    said = [f"{backend} ({kind}) {block}" for (kind, backend), block in best.items() if block > 1]
    flat = [f"{backend} ({kind})" for (kind, backend), block in best.items() if block == 1]
    text = f"Time per MAC, that of {FULL} channels being 1. "
    text += f"Blocks of channels explain the sweeps of {', '.join(said)}. " if said else ""
    text += f"No block explains those of {', '.join(flat)}. " if flat else ""
    text += ("*Left* is by how much single stacks still differ (standard deviation) once each is divided by the MACs "
             "that whole blocks of so many channels would compute.")  # fmt: skip
    return [*lines, "", text]


def spread(sweep: Iterable[Point], block: int) -> float:
    """Return the standard deviation of log time per MAC over what blocks of so many channels would compute."""
    return statistics.stdev(math.log(p.time / padded(p.kind, p.channels, block)) for p in sweep)


def _aligned(results: Sequence[Result]) -> list[str]:
    """Set effects of the paper's channels beside those of whole blocks, for the GPU's own experiments."""
    found = {(r.experiment.name, r.where): r for r in results if r.experiment and r.found and r.finding.id in "G1 G2 G3"}
    lines = ["| experiment | published | runtime | the paper's channels | whole blocks | padding and layout |",
             "| --- | --- | --- | --- | --- | ---: |"]  # fmt: skip
    for name in GPU_CORE:
        for (title, where), r in found.items():
            if title == name and r.found is not None and r.experiment is not None:
                other = found.get((f"{name}, aligned", where))
                cells = [effect_cell(r), "the same", "1"]
                if other is not None and other.found is not None:
                    cells[1:] = [effect_cell(other), f"{math.exp(r.found.log - other.found.log):.2f}"]
                lines.append(f"| {r.finding.id}: {markdown_cell(name)} | {published_cell(r)} | {markdown_cell(where)} | "
                             f"{' | '.join(cells)} |")  # fmt: skip
    return [*lines, "", "With whole blocks in each group what the guideline says is left; the quotient is what padding "
            "and a change of layout cost. G3's fragments are whole blocks in the paper already."]  # fmt: skip


def _instructions(held: Sequence[Result], evidence: Evidence) -> list[str]:
    by: dict[tuple[str, str], dict[str, Result]] = {}
    for r in held:
        assert r.experiment is not None
        by.setdefault((r.finding.id, r.experiment.name), {})[r.backend] = r
    specs = [spec for spec in ISA if any(spec in mine for mine in by.values())]
    lines = [f"| finding | experiment | published | {' | '.join(ISA[spec] for spec in specs)} |",
             f"| --- | --- | --- |{' --- |' * len(specs)}"]  # fmt: skip
    for (id, name), mine in by.items():
        first = next(iter(mine.values()))
        cells = [effect_cell(mine[spec]) if spec in mine else "" for spec in specs]
        lines.append(f"| {id} | {markdown_cell(name)} | {published_cell(first)} | {' | '.join(cells)} |")
    whole = [mine for mine in by.values() if all(spec in mine for spec in specs)]
    told = [_told(whole, spec) for spec in specs]
    return [*lines, "", f"Of {len(whole)} experiments that all {len(specs)} have: {'; '.join(told)}. "
            f"{_ran(specs, evidence)}"]  # fmt: skip


def _told(whole: Sequence[dict[str, Result]], spec: str) -> str:
    """Say how many effects go the published way under these instructions, and how far they are from it."""
    off, way = [], 0
    for mine in whole:
        r = mine[spec]
        published = r.experiment.log_published if r.experiment else None
        if r.found is not None and published is not None:
            off.append(abs(r.found.log - published))
            way += math.copysign(1, published) * r.found.log > MARGIN
    distance = f", a median factor of {math.exp(statistics.median(off)):.2f} from the published" if off else ""
    return f"{ISA[spec]}, {way} go the published way{distance}"


def _ran(specs: Sequence[str], evidence: Evidence) -> str:
    """Say what PyTorch's libraries tell of the instructions that ran, and how much longer a network took."""
    said = []
    for spec in specs:
        ran = [side["inspected"]["effective"]["settings"] for line in evidence.replicates if line["backend"] == spec
               for side in line["sides"].values() if "inspected" in side]  # fmt: skip
        if ran:
            kernels = sorted({k for one in ran for k in str(one.get("onednn kernels", "")).split(", ") if ":" in k})
            named = f" with oneDNN's {', '.join(f'`{plain(k)}`' for k in kernels)}" if kernels else ""
            said.append(f"{ISA[spec]} ATen told {plain(str(ran[0].get('cpu capability', 'nothing')))}{named}")
    return f"Read back: {'; '.join(said)}." if said else ""
