"""Does `bench` measure what each runtime's own tool measures, or a bare loop over its API where it has none?

    python -m benchmarks.versus_own_tool [--turns 8] [--seconds 1] [--output own-tool.jsonl] [--within 0.05]

In every turn both sides are fresh processes, on the core that is quietest just then: one thread, one stream, fp32, the
same converted file, the same environment. A tool runs between two launches of `bench`; a bare loop and a launch live
side by side and take turns in blocks of 50 ms, so that a machine which becomes slower does so for both. The same
command goes on where it was stopped, prints the ratio bench/other with its 95% interval over turns (the table of
`docs/method.md`), and leaves with 1 where a ratio is farther from 1 than `--within`; `--turns 0` prints what is there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bench.base.errors import MeasureError
from bench.base.process import hidden_settings
from bench.machine.cores import quietest
from bench.machine.environment import usable_cores
from bench.plan.protocol import Warming
from bench.stats.ratio import LEAST, effect
from benchmarks.turns import APP_FLAGS, RUNTIMES, TIMEOUT_S, Line, Log, Ours, Ready, ready, timed

MODELS = ("mobilenetv2", "shufflenetv2")
BARE, LOOPS = "bare loop", Path(__file__).with_name("bare_loops.py")
# What is in a runtime's wheel; the wheels of the others hold no tool that measures, and Debian has none of them.
# onnxruntime's `onnxruntime_test` takes no number of threads.
TOOLS: Mapping[str, tuple[str, ...]] = {"openvino": ("benchmark_app",), "litert": ("litert-benchmark", BARE)}
FILES = {"litert": "net.tflite", "ncnn": "net.param", "mnn": "net.mnn", "executorch": "net.pte"}
WARMING = Warming(ms=200, least=5, block_ms=50, block_least=5)
APP = "from openvino.tools.benchmark.main import main; main()"
LITERT = "from ai_edge_litert.tools.benchmark_litert_model import main; main()"
HEAD = ("| runtime | held against | network | bench, ms | ratio | 95% interval | turns |", "| --- " * 7 + "|")


def tool_ns(tool: str, one: Ready, core: int, seconds: float, guess_ns: float) -> float:
    """Run a runtime's own tool on a core; return its median in ns. `guess_ns` is what an inference takes, roughly."""
    model = _model(one)
    if tool == "benchmark_app":
        arguments = ["-c", APP, "-m", model, "-t", f"{math.ceil(seconds)}", *APP_FLAGS]
        pattern = r"Median:\s+([\d.]+) ms"
    else:
        runs, warm = (max(10, round(s * 1e9 / guess_ns)) for s in (seconds, WARMING.ms / 1e3))
        arguments = ["-c", LITERT, f"--model={model}", "--num_threads=1", f"--num_runs={runs}", f"--warmup_runs={warm}"]
        pattern = r"Inference \(median\):\s+([\d.]+) ms"
    with _started(arguments, core) as process:
        said, wrong = process.communicate(timeout=TIMEOUT_S)
    found = re.search(pattern, said)
    if process.returncode or found is None:
        lines = (wrong or said).strip().splitlines() or ["it said nothing"]
        raise MeasureError(f"{tool} failed: {lines[-1]}", "run it by hand")
    return float(found[1]) * 1e6


def _model(one: Ready) -> str:
    """Return the file that the runtime loads."""
    runtime = one.case.backend.name
    return str(one.artifact.converted_path(FILES[runtime]) if runtime in FILES else one.source.path)


@contextmanager
def _started(arguments: Sequence[str], core: int) -> Iterator[subprocess.Popen[str]]:
    """Start Python as `bench` starts its workers: on one core, without variables that change a runtime."""
    hidden, pipe = hidden_settings(os.environ), subprocess.PIPE
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:  # benchmark_app may write beside where it is started
        process = subprocess.Popen(
            [sys.executable, "-P", *arguments], cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=pipe,
            text=True, preexec_fn=lambda: os.sched_setaffinity(0, [core]),
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def beside_tool(tool: str, one: Ready, core: int, seconds: float) -> Line:
    """Run the tool between two launches of half as long: what drifts in a line drops out of the ratio."""
    before = timed(one, core, seconds / 2, WARMING)
    own = tool_ns(tool, one, core, seconds, before["ns"])
    after = timed(one, core, seconds / 2, WARMING)
    return {"ours_ns": math.sqrt(before["ns"] * after["ns"]), "own_ns": own, "parity": after["parity"]}


def beside_loop(one: Ready, core: int, seconds: float) -> Line:
    """Let a launch and a bare loop live side by side, and take turns in short blocks, in the order ABBA."""
    runtime = one.case.backend.name
    folder = one.artifact.folder if runtime in FILES else one.source.folder
    found: dict[str, list[float]] = {"ours": [], "own": []}
    with _started([str(LOOPS), runtime, folder, _model(one)], core) as process, Ours(one, core, WARMING) as ours:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout
        _answer(stdout)  # that it is warm
        for i in range(max(2, round(seconds * 1e3 / WARMING.block_ms))):
            for side in ("ours", "own") if i % 2 else ("own", "ours"):
                if side == "ours":
                    found[side].append(statistics.median(ours.block()))
                    continue
                stdin.write(f"{WARMING.block_ms / 1e3}\n")
                stdin.flush()
                found[side].append(_answer(stdout)["ns"])
    return {f"{side}_ns": statistics.geometric_mean(ns) for side, ns in found.items()} | {"parity": ours.parity}


def _answer(stdout: IO[str]) -> Line:
    """Read the next answer of a bare loop: a runtime may print what it likes between them."""
    for line in stdout:
        if line.startswith("{"):
            return dict(json.loads(line))
    raise MeasureError("the bare loop died", "run benchmarks/bare_loops.py by hand")


def turn(one: Ready, tool: str, seconds: float) -> Line:
    """Measure both sides on one core."""
    (core,) = quietest(1, usable_cores())
    found = beside_loop(one, core, seconds) if tool == BARE else beside_tool(tool, one, core, seconds)
    return {"version": one.version, "core": core} | found


def ratios(lines: Sequence[Line]) -> dict[tuple[str, str, str], tuple[float, float, float]]:
    """Return bench/other with its interval, by runtime, tool and network, where there are turns enough."""
    found = {}
    for key in sorted({(line["runtime"], line["tool"], line["model"]) for line in lines}):
        logs = [math.log(line["ours_ns"] / line["own_ns"]) for line in _of(lines, key)]
        if len(logs) >= LEAST:
            found[key] = effect(logs).ratios
    return found


def _of(lines: Sequence[Line], key: tuple[str, str, str]) -> list[Line]:
    return [line for line in lines if (line["runtime"], line["tool"], line["model"]) == key]


def table(lines: Sequence[Line]) -> list[str]:
    """Return the table."""
    found = list(HEAD)
    for key, (ratio, lo, hi) in ratios(lines).items():
        mine, (runtime, tool, model) = _of(lines, key), key
        ours = math.exp(math.fsum(math.log(line["ours_ns"]) for line in mine) / len(mine)) / 1e6
        found.append(
            f"| `{runtime}` | {tool} | {model} | {ours:.3f} | {ratio:.3f} | {lo:.3f} to {hi:.3f} | {len(mine)} |"
        )
    return found


def main() -> int:
    """Measure what is missing, print, and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="of each side of a turn; benchmark_app takes whole ones"
    )
    parser.add_argument("--model", action="append", help="repeatable")
    parser.add_argument("--runtime", action="append", help="repeatable; all by default")
    parser.add_argument("--output", type=Path, default=Path("own-tool.jsonl"))
    parser.add_argument("--within", type=float, default=0.05)
    parser.add_argument("--most-s", type=float, default=math.inf, help="start no turn after so many seconds")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    log = Log(args.output, ("model", "runtime", "tool", "turn"))
    pairs = [
        (model, runtime, tool, one)
        for model in (args.model or MODELS if args.turns else ())
        for runtime in args.runtime or RUNTIMES
        if (one := ready(model, runtime)) is not None
        for tool in TOOLS.get(runtime, (BARE,))
    ]
    order, begin = random.Random(args.seed), time.monotonic()
    for number in range(args.turns):
        for i in order.sample(range(len(pairs)), len(pairs)):
            model, runtime, tool, one = pairs[i]
            if time.monotonic() - begin < args.most_s:
                log.once((model, runtime, tool, number), lambda one=one, tool=tool: turn(one, tool, args.seconds))
    print("\n".join(table(log.lines)))
    off = {key: ratio for key, (ratio, _, _) in ratios(log.lines).items() if abs(ratio - 1) > args.within}
    for (runtime, tool, model), ratio in off.items():
        print(f"{model} on {runtime} against {tool}: {ratio:.3f} is not within {args.within:g} of 1")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
