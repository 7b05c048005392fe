"""Does `bench run` measure what OpenVINO's own benchmark_app measures?

    python benchmarks/versus_benchmark_app.py [--model shufflenetv2] [--repeats 5] [--seconds 4]

Runs both tools in turns, in random order, on the same ONNX file, on the same core, one stream, one thread, fp32, and
prints every figure and the ratio of the two medians.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import backends, export
from bench.machine.environment import usable_cores
from bench.plan import zoo
from bench.plan.case import Case, Network

FLAGS = ["-api", "sync", "-hint", "none", "-nstreams", "1", "-nthreads", "1", "-infer_precision", "f32"]


def ours(model: str, folder: Path) -> float:
    command = [sys.executable, "-m", "bench", "run", "--model", model, "--backend", "openvino", "--format", "json"]
    said = subprocess.run([*command, "--output", folder / "r.csv"], capture_output=True, text=True, check=True).stdout
    (row,) = json.loads(said)
    print(f"  bench run      {row['latency_ms']:.3f} ms  ({row['status']}, {row['samples']} samples)", flush=True)
    return float(row["latency_ms"])


def theirs(onnx: Path, seconds: int, core: int) -> float:
    tool = Path(sys.executable).with_name("benchmark_app")
    said = subprocess.run(
        [tool, "-m", onnx, "-d", "CPU", "-t", str(seconds), *FLAGS],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, [core]),
    ).stdout
    median = float(re.search(r"Median:\s+([\d.]+) ms", said)[1])
    print(f"  benchmark_app  {median:.3f} ms", flush=True)
    return median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="shufflenetv2")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    case = Case(Network(zoo.resolve(args.model)), backends.resolve("openvino"))
    onnx = export.ensure(case.network).path
    core = usable_cores()[-1]
    found: dict[str, list[float]] = {"ours": [], "theirs": []}
    order = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(args.repeats):
            print(f"turn {i + 1} of {args.repeats}")
            for who in order.sample(["ours", "theirs"], 2):
                value = ours(args.model, Path(folder)) if who == "ours" else theirs(onnx, args.seconds, core)
                found[who].append(value)
    middle = {who: statistics.median(values) for who, values in found.items()}
    for who, values in found.items():
        spread = (max(values) - min(values)) / middle[who]
        print(f"{who:7s} median {middle[who]:.3f} ms, (max - min) / median {spread:.1%}")
    print(f"ratio of medians {middle['ours'] / middle['theirs']:.3f}")


if __name__ == "__main__":
    main()
