"""Times convolutions as nn-Meter samples them, so that it is held against `bench predict` with its own training data.

    python -m benchmarks.predict_nnmeter --seconds 300    # needs a quiet machine; goes on where it was interrupted

As in Zhang et al. (MobiSys 2021, section 4): configurations are drawn from a prior, which is how convolutions are
distributed in known networks (here: the zoo's), each dimension on its own; a random forest per kernel is fitted to four
fifths of them and tested on the rest, and around those that it gets wrong by more than `WRONG` more are drawn, with
other channels. Other operators than convolutions are learnt from what `bench predict --train` timed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import backends
from bench.artifact.artifact import Artifact
from bench.plan.protocol import KernelProtocol
from bench.predict import train
from bench.predict.features import simple
from bench.predict.table import KernelTable, read
from benchmarks.predict_export import artifact_of, told, usable
from benchmarks.predict_measure import FOLDER
from benchmarks.predict_networks import ROOT, members

FIRST, STEP = 60, 60  # configurations of each kind at first, and in a further round
AROUND = 10  # more that are drawn around one that is wrong
WRONG = 0.1
LARGEST = 400_000_000  # MACs
KINDS = ("dense", "depthwise")
Config = dict[str, int]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    args = parser.parse_args()
    folder, deadline = args.folder.resolve(), time.monotonic() + args.seconds
    os.chdir(ROOT)
    ref, place = backends.resolve("onnxruntime"), train.Place(protocol=KernelProtocol(passes=1, spare=1))
    file = folder / "predict-nnmeter-onnxruntime.json.gz"
    context = train.context(ref, 1, place.transport)
    table = read(file) if file.exists() else KernelTable(context, file=file)
    table.file = file
    artifacts = [artifact_of(m.network) for m in usable(folder, members(["zoo"]))]
    known = prior([config for artifact in artifacts for config in convolutions(artifact)])
    rng = random.Random(len(table.timings))
    while (begin := time.monotonic()) < deadline:
        with place.probes(table, ref) as probes:
            for kind in KINDS:
                for config in next_of(kind, known[kind], table, rng):
                    table.add([k for k in probes.kernels(made=network(config)).kernels if _kind(k)])
        train.time_kernels(table, ref, lambda text: print(text, flush=True), deadline, place=place)
        table.spent_s += time.monotonic() - begin
    table.save()
    return told(0, f"of {sum(bool(t.runs) for t in table.timings.values())} kernels timed")


def convolutions(artifact: Artifact) -> list[Config]:
    """Return side of the output, channels, window and group of every convolution of an artifact."""
    found = []
    for op in artifact.mac_ops:
        if op.op == "Conv" and len(op.weight) == 4 and op.macs:
            out, per_group, window, _ = op.weight
            side = round((op.macs / (out * per_group * window * window)) ** 0.5)
            kind = {"side": side, "c_in": per_group * op.group, "c_out": out, "kernel": window, "group": op.group}
            found.append(kind | {"stride": 1})
    return found


def prior(known: Sequence[Config]) -> dict[str, list[Config]]:
    """Sort configurations into kinds."""
    deep = [c for c in known if c["group"] == c["c_in"] > 1]
    return {"depthwise": deep, "dense": [c for c in known if c["group"] == 1]}


def next_of(kind: str, known: Sequence[Config], table: KernelTable, rng: random.Random) -> list[Config]:
    """Return what to time next: from the prior at first, then around what a forest gets wrong."""
    timed = [t for t in table.timings.values() if t.runs and _kind(t.kernel) == kind]
    if len(timed) < FIRST:
        return [draw(known, rng) for _ in range(FIRST)]
    from sklearn.ensemble import RandomForestRegressor

    rng.shuffle(timed)
    baseline_ns, cut = table.baseline_gemm_ns, len(timed) * 4 // 5
    ns = [t.hot_ns(baseline_ns) for t in timed]
    forest = RandomForestRegressor(100, random_state=0, n_jobs=1)
    forest.fit([simple(t.kernel) for t in timed[:cut]], ns[:cut])
    guessed = forest.predict([simple(t.kernel) for t in timed[cut:]])
    wrong = [t.kernel for t, x, y in zip(timed[cut:], ns[cut:], guessed, strict=True) if abs(y / x - 1) > WRONG]
    rng.shuffle(wrong)
    found = [around(kernel, rng) for kernel in wrong for _ in range(AROUND)][:STEP]
    return found or [draw(known, rng) for _ in range(STEP)]


def draw(known: Sequence[Config], rng: random.Random) -> Config:
    """Draw each dimension from those of the known configurations."""
    while True:
        sides, windows = rng.choice(known), rng.choice(known)
        c_in, c_out = rng.choice(known)["c_in"], rng.choice(known)["c_out"]
        stride = rng.choice((1, 1, 2)) if windows["kernel"] > 1 else 1
        config = {"side": sides["side"] * stride, "c_in": c_in, "c_out": c_out, "kernel": windows["kernel"]}
        config |= {"stride": stride, "group": 1}
        if known[0]["group"] > 1:
            config |= {"c_out": c_in, "group": c_in}
        if macs(config) <= LARGEST and config["kernel"] <= config["side"]:
            return config


def around(kernel: Any, rng: random.Random) -> Config:
    """Draw a configuration of the same side, window and stride with other channels."""
    x, weight = kernel.inputs[0].shape, kernel.inputs[1].shape
    group = int(kernel.attributes.get("group", 1))
    c_in, c_out = (max(8, round(c * rng.uniform(0.6, 1.4))) for c in (x[1], kernel.outputs[0].shape[1]))
    stride = max(kernel.attributes.get("strides", (1,)))
    config = {"side": x[-1], "c_in": c_in, "c_out": c_out, "kernel": weight[-1], "stride": stride, "group": 1}
    return config | ({"c_out": c_in, "group": c_in} if group > 1 else {})


def macs(config: Config) -> int:
    """Return the multiply-accumulates of a convolution."""
    side = config["side"] // config["stride"]
    return side * side * config["c_out"] * (config["c_in"] // config["group"]) * config["kernel"] ** 2


def network(config: Config) -> dict[str, Any]:
    """Return a made-up network (`bench.measure.probe_blocks`) of one convolution."""
    block = {"block": "conv", "out": config["c_out"]} | {key: config[key] for key in ("kernel", "stride", "group")}
    return {"side": config["side"], "channels": config["c_in"], "blocks": [block]}


def _kind(kernel: Any) -> str:
    if kernel.op.rpartition(".")[2] not in ("Conv", "FusedConv"):
        return ""
    return "depthwise" if int(kernel.attributes.get("group", 1)) > 1 else "dense"


if __name__ == "__main__":
    sys.exit(main())
