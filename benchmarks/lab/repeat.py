"""Repeatability: the same question asked again and again, of `bench run` and of three other tools, in turns.

Every turn asks each tool once, in random order; the others get as much wall time as `bench run` took. Some turns are
quiet, before and after, and tell the quiet value of each tool; the turns between have a neighbour that comes and goes.
"""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import backends
from bench.base.errors import MeasureError, Unsupported
from bench.export import ensure
from bench.plan import zoo
from bench.plan.case import Case, Network
from benchmarks.turns import APP_FLAGS

TORCH = """
import json, sys, torch
from torch.utils.benchmark import Timer
from bench.plan import zoo
from bench.artifact.build import build_module
ref = zoo.resolve(sys.argv[1])
module = build_module(ref.kind, ref.source, ref.params)[0].eval()
x = torch.randn(1, 3, int(sys.argv[3]), int(sys.argv[3]))
with torch.inference_mode():
    found = Timer("module(x)", globals={"module": module, "x": x}, num_threads=1).blocked_autorange(
        min_run_time=float(sys.argv[2]))
times = torch.tensor(found.times, dtype=torch.float64)
quarters = torch.quantile(times, torch.tensor([0.25, 0.75], dtype=torch.float64))
print(json.dumps([found.median * 1e3, *(1e3 * quarters).tolist()]))
"""

# In OpenVINO, as `bench run` and benchmark_app. Each of pyperf's processes finds the model's path in its environment.
PYPERF = """
import os, pyperf

def infer(loops):
    request = state()
    begin = pyperf.perf_counter()
    for _ in range(loops):
        request.infer()
    return pyperf.perf_counter() - begin

made = []
def state():
    if not made:
        import numpy, openvino
        how = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        request = openvino.Core().compile_model(os.environ["LAB_ONNX"], "CPU", how).create_infer_request()
        shape = tuple(request.get_input_tensor().shape)
        request.set_input_tensor(openvino.Tensor(numpy.random.default_rng(0).standard_normal(shape, numpy.float32)))
        made.append(request)
    return made[0]

pyperf.Runner().bench_time_func("model", infer)
"""
PYPERF_PROCESS_S = 1.1  # what one of its processes takes: start, load, a warm-up and three values of 0.1 s


TOOLS = ("bench run", "benchmark_app", "pyperf", "torch.utils.benchmark")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one tool said once; `status` is empty for tools that have none.

    `lo_ms` to `hi_ms` is the range that it prints: the 95% interval of `bench run`, mean and standard deviation of
    pyperf, the quartiles of torch. benchmark_app prints none but all its inferences'.
    """

    turn: int
    quiet: bool
    tool: str
    latency_ms: float
    wall_s: float
    status: str = ""
    lo_ms: float | None = None
    hi_ms: float | None = None
    set_aside: float | None = None
    machine_speed: float | None = None


def turns(
    model: str,
    output: Path,
    runs: int,
    quiet_runs: int,
    told: Callable[[Answer], None],
    seed: int = 0,
    wander: bool = False,
) -> list[Answer]:
    """Ask every tool in every turn, and return all answers; those that `output` (JSON lines) holds are not asked again.

    Half of the quiet turns come first, the others last.

    Raises:
        Unsupported: benchmark_app or pyperf is not installed.
    """
    tool = _tool(Path(sys.executable))
    if find_spec("pyperf") is None:
        raise Unsupported("pyperf is not installed", "pip install pyperf")
    done = read(output) if output.exists() else []
    asked = {(answer.turn, answer.tool) for answer in done}
    case = Case(Network(zoo.resolve(model)), backends.resolve("openvino"))
    onnx = ensure(case.network).path
    before = quiet_runs // 2
    for turn in range(runs + quiet_runs):
        quiet = not before <= turn < before + runs
        order = random.Random(f"{seed}/{turn}").sample(TOOLS, len(TOOLS))
        with _neighbour(not quiet, seed + turn, wander):
            for name in order:
                if (turn, name) in asked:
                    continue
                ours = [a.wall_s for a in done if a.tool == "bench run"]
                seconds = max(2, round(ours[-1] if ours else 5))
                begin = time.monotonic()
                if name == "bench run":
                    found = _ours(model, output)
                elif name == "benchmark_app":
                    found = {"latency_ms": _benchmark_app([str(tool), "-m", str(onnx), *APP_FLAGS], seconds)}
                elif name == "pyperf":
                    found = _pyperf(onnx, seconds)
                else:
                    found = _torch(model, seconds, case.resolution or 224)
                answer = Answer(turn, quiet, name, wall_s=time.monotonic() - begin, **found)
                with output.open("a") as handle:
                    handle.write(json.dumps({k: getattr(answer, k) for k in answer.__slots__}) + "\n")
                done.append(answer)
                told(answer)
    return done


def read(output: Path) -> list[Answer]:
    """Read the answers that were recorded."""
    return [Answer(**json.loads(line)) for line in output.read_text().splitlines() if line.strip()]


def summary(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return a line per tool: its quiet value, how far its answers spread beside a neighbour, and how far off they are.

    For `bench run` a second line counts only what it calls `ok`.
    """
    lines = []
    for tool in dict.fromkeys(a.tool for a in answers):
        mine = [a for a in answers if a.tool == tool]
        lines.append(_line(tool, mine, mine))
        if any(a.status for a in mine):
            lines.append(_line(f"{tool}, ok", mine, [a for a in mine if a.status == "ok"]))
    return lines


def _line(name: str, mine: Sequence[Answer], counted: Sequence[Answer]) -> dict[str, Any]:
    calm = [a.latency_ms for a in mine if a.quiet]
    halves = [
        (hi - lo) / 2 / a.latency_ms for a in counted if (lo := a.lo_ms) is not None and (hi := a.hi_ms) is not None
    ]
    quiet = statistics.median(calm) if calm else None
    busy = [a.latency_ms for a in counted if not a.quiet]
    spread = (max(busy) - min(busy)) / statistics.median(busy) if busy else None
    worst = max(abs(v / quiet - 1) for v in busy) if busy and quiet else None
    wall = statistics.median(a.wall_s for a in mine if not a.quiet) if busy else None
    return {
        "tool": name,
        "answers": len(busy),
        "quiet_ms": quiet,
        "median_ms": statistics.median(busy) if busy else None,
        "spread": spread,
        "worst_off": worst,
        "quiet_spread": (max(calm) - min(calm)) / quiet if quiet else None,
        "holds_others": _holds(counted),
        "half_width": statistics.median(halves) if halves else None,
        "wall_s": wall,
    }


def _holds(answers: Sequence[Answer]) -> str | None:
    """Return how many of the printed ranges hold the mean of the tool's quiet answers, itself left out."""
    held = []
    for answer in answers:
        others = [a.latency_ms for a in answers if a.quiet and a is not answer]
        if answer.lo_ms is not None and answer.hi_ms is not None and others:
            held.append(answer.lo_ms <= statistics.geometric_mean(others) <= answer.hi_ms)
    return f"{sum(held)} of {len(held)}" if held else None


@contextmanager
def _neighbour(there: bool, seed: int, wander: bool) -> Iterator[None]:
    if not there:
        yield
        return
    how = ["--wander"] if wander else []
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.lab.burner", "--seed", str(seed), *how])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _ours(model: str, output: Path) -> dict[str, Any]:
    rows = output.with_name(output.stem + "-rows.csv")
    command = [sys.executable, "-m", "bench", "run", "--model", model, "--backend", "openvino", "--format", "json"]
    said = _said([*command, "--output", str(rows)])
    (row,) = json.loads(said)
    names = {"lo_ms": "latency_lo_ms", "hi_ms": "latency_hi_ms"}
    return {key: row[names.get(key, key)] for key in ("latency_ms", "status", "lo_ms", "hi_ms")} | {
        key: row[key] for key in ("set_aside", "machine_speed")
    }


def _tool(python: Path) -> Path:
    """Return OpenVINO's own tool, which is installed beside the interpreter."""
    tool = python.with_name("benchmark_app")
    if not tool.exists():
        raise Unsupported("benchmark_app is not installed", "pip install openvino")
    return tool


def _benchmark_app(command: list[str], seconds: int) -> float:
    match = re.search(r"Median:\s+([\d.]+) ms", _said([*command, "-t", str(seconds)]))
    if match is None:
        raise MeasureError("benchmark_app told no median", "run it by hand")
    return float(match[1])


def _torch(model: str, seconds: int, resolution: int) -> dict[str, Any]:
    said = _said([sys.executable, "-c", TORCH, model, str(seconds), str(resolution)])
    median, lo, hi = json.loads(said.splitlines()[-1])
    return {"latency_ms": median, "lo_ms": lo, "hi_ms": hi}


def _pyperf(onnx: Path, seconds: int) -> dict[str, Any]:
    """Ask pyperf with as many of its processes as fit."""
    with tempfile.TemporaryDirectory() as folder:
        program, told = Path(folder, "program.py"), Path(folder, "told.json")
        program.write_text(PYPERF)
        how = ["--processes", str(max(2, round(seconds / PYPERF_PROCESS_S))), "--inherit-environ", "LAB_ONNX"]
        _said([sys.executable, str(program), "--quiet", "--output", str(told), *how], {"LAB_ONNX": str(onnx)})
        (benchmark,) = json.loads(told.read_text())["benchmarks"]
    values = [1e3 * value for run in benchmark["runs"] for value in run.get("values", ())]
    mean, sd = statistics.fmean(values), statistics.stdev(values)
    return {"latency_ms": mean, "lo_ms": mean - sd, "hi_ms": mean + sd}


def _said(command: list[str], more: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONWARNINGS": "ignore"} | (more or {})
    )
    if done.returncode:
        raise MeasureError(f"{command[0]} left with code {done.returncode}", (done.stderr or "").strip()[-200:])
    return done.stdout
