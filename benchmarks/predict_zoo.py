"""How well `bench predict` does on networks it was not trained on: leave one family out, over the whole zoo.

python benchmarks/predict_zoo.py measure [--seconds 85]   # resumable: run it until it says that all is measured
python benchmarks/predict_zoo.py remeasure [--seconds 85] # the noise floor: every network end to end once more
python benchmarks/predict_zoo.py report

`report` reads results/xeon-vm-2core/predict.json.gz (or --table) and needs no machine. Every network is predicted by a
predictor that has seen no network of its family: `timed` may look up its kernels, each timed alone; `unseen` may not
look up a kernel that only this family has. Baselines are fitted on the same families, by relative least squares.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import backends
from bench.plan import zoo
from bench.plan.protocol import KernelProtocol
from bench.plan.suite import shipped
from bench.predict import train
from bench.predict.calibration import calibrate
from bench.predict.features import macs, moved_bytes, simple
from bench.predict.law import half_width
from bench.predict.place import Place
from bench.predict.predictor import Predictor
from bench.predict.regressor import Roof
from bench.predict.table import KernelList, KernelTable, read
from bench.report.text.print import print_records

TABLE = Path(__file__).parent.parent / "results" / "xeon-vm-2core" / "predict.json.gz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("do", choices=("list", "measure", "remeasure", "report"))
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--seconds", type=float, default=85.0, help="after which to stop and keep what is there")
    parser.add_argument("--passes", type=int, default=KernelProtocol().passes)
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table")
    args = parser.parse_args()
    if args.do == "report":
        report(read(args.table), args.format)
        return
    deadline = time.monotonic() + args.seconds
    ref = backends.resolve("onnxruntime")
    place = Place(protocol=KernelProtocol(passes=args.passes))
    context = train.context(ref, 1, place.transport)
    table = read(args.table) if args.table.exists() else KernelTable(context)
    if table.context != context:
        raise SystemExit(f"{args.table} was measured elsewhere ({table.context}); give another --table")
    table.file = args.table
    plan = train.plan_of([zoo.resolve(m) for m in shipped()["zoo"].models], ref, 1)
    train.list_networks(table, plan, ref, print)
    if args.do == "list":
        done = True
    elif args.do == "measure":
        done = train.time_kernels(table, ref, print, deadline, place=place)
        done = done and train.time_networks(table, plan, print, deadline)
    else:
        done = remeasure(table, plan, deadline)
    timed = sum(len(t.runs) >= args.passes for t in table.timings.values())
    measured = sum(n.latency_ns is not None for n in table.networks.values())
    again = sum(n.again_ns is not None for n in table.networks.values())
    print(f"{timed} of {len(table.timings)} kernels, {measured} of {len(plan.cases)} networks, {again} twice")
    print("all is measured" if done else "not all is measured: run it again")


def remeasure(table: KernelTable, plan: Any, deadline: float) -> bool:
    """Measure every network once more: how far two measurements are apart is the least error a prediction can have."""
    first = {name: network.latency_ns for name, network in table.networks.items()}
    for network in table.networks.values():
        network.latency_ns = network.again_ns
    done = train.time_networks(table, plan, print, deadline, save=False)
    for name, network in table.networks.items():
        network.again_ns, network.latency_ns = network.latency_ns, first[name]
    table.save()
    return done


def report(table: KernelTable, format: str) -> None:
    """Print the accuracy of every predictor, and each network's predictions."""
    networks = [n for n in table.networks.values() if n.latency_ns]
    truth = np.array([n.latency_ns for n in networks], dtype=float)
    left_out = {row["network"]: row for row in calibrate(table, folds=0)}
    found: dict[str, dict[str, float]] = {name: {} for name in ("timed", "unseen", *BASELINES)}
    inside: dict[str, list[bool]] = {"timed": [], "unseen": []}
    for network in networks:
        row = left_out[network.name]
        # The interval comes from the errors of the other families.
        others = [r for r in left_out.values() if r["family"] != network.family]
        for mode, key, unsure in (("timed", "seen", 0.0), ("unseen", "unseen", row.get("unsure", 0.0))):
            if key not in row:
                unknown = "; ".join(network.lost) or "some of its kernels were not timed"
                print(f"{mode}: {network.name} is not predicted: {unknown}")
                found[mode][network.name] = math.nan
                continue
            found[mode][network.name] = float(network.latency_ns or 1) * math.exp(row[key])
            half = half_width(others, unsure)
            inside[mode].append(abs(row[key]) <= half)
    for family in sorted({n.family for n in networks}):
        own = [n for n in networks if n.family == family]
        for name, baseline in BASELINES.items():
            rows = baseline(table, [n for n in networks if n.family != family], own)
            found[name] |= {n.name: float(y) for n, y in zip(own, rows, strict=True)}
    again = [n for n in networks if n.again_ns]
    lines = [score("measured twice", np.array([n.again_ns for n in again]), np.array([n.latency_ns for n in again]))]
    lines += [score(name, np.array([values[n.name] for n in networks]), truth) for name, values in found.items()]
    for line in lines:
        hits = inside.get(line["predictor"])
        line["in_90%_interval"] = f"{np.mean(hits):.0%}" if hits else ""
    print_records(lines, format)
    print_records(
        [
            {
                "network": n.name.replace(" resolution=224 batch=1", ""),
                "measured_ms": round(float(n.latency_ns or 0) / 1e6, 3),
                "again": f"{n.again_ns / n.latency_ns - 1:+.1%}" if n.again_ns and n.latency_ns else "",
                **{name: f"{values[n.name] / float(n.latency_ns or 1) - 1:+.1%}" for name, values in found.items()},
            }
            for n in networks
        ],
        format,
    )
    timed = sum(bool(t.runs) for t in table.timings.values())
    failed = sorted({t.kernel.op for t in table.timings.values() if t.failed})
    print(f"{timed} kernels timed; could not be timed: {', '.join(failed) or 'none'}")
    law = ", ".join(f"{x:.4g}" for x in Predictor(table).terms)
    print(f"law of all networks (a, g, m ns/byte, w, o, b ns, c ns): {law}")


def score(name: str, predicted: Any, truth: Any) -> dict[str, Any]:
    """Sum a predictor up."""
    if not len(truth):
        return {
            "predictor": name,
            "networks": 0,
            "predicted": 0,
            "within_10%": "",
            "within_5%": "",
            "mape": "",
            "spearman": "",
        }
    from scipy.stats import spearmanr

    error = np.abs(predicted / truth - 1)  # NaN where there is no prediction: not within anything
    given = ~np.isnan(error)
    return {
        "predictor": name,
        "networks": len(truth),
        "predicted": int(given.sum()),
        "within_10%": f"{np.mean(error <= 0.1):.0%}",
        "within_5%": f"{np.mean(error <= 0.05):.0%}",
        "mape": f"{error[given].mean():.1%}",
        "spearman": f"{float(spearmanr(predicted[given], truth[given]).statistic):.3f}",
    }


def _relative(train_x: Any, train_y: Any, test_x: Any) -> Any:
    """Fit a non-negative linear law by relative least squares."""
    from scipy.optimize import nnls

    scale = train_x.max(axis=0)
    coefficients, _ = nnls(train_x / scale / train_y[:, None], np.ones(len(train_y)))
    return test_x / scale @ coefficients


def _linear(terms: Any) -> Any:
    def baseline(table: KernelTable, known: list[KernelList], own: list[KernelList]) -> Any:
        def rows(networks: list[KernelList]) -> Any:
            return np.array([[*terms(table, n), 1.0] for n in networks], dtype=float)

        return _relative(rows(known), np.array([n.latency_ns for n in known]), rows(own))

    return baseline


def _bytes(table: KernelTable, network: KernelList) -> float:
    kernels = (table.timings[key].kernel for key in network.keys)
    return float(sum(moved_bytes(k) for k in kernels if not k.moves_nothing))


def _roofline(table: KernelTable, network: KernelList) -> list[float]:
    baseline_ns = table.baseline_gemm_ns
    timed = [t for t in table.timings.values() if t.runs]
    roof = Roof.of([t.kernel for t in timed], np.array([t.hot_ns(baseline_ns) for t in timed]))
    kernels = (table.timings[key].kernel for key in network.keys)
    return [sum(max(macs(k) / roof.peak, moved_bytes(k) / roof.bandwidth) for k in kernels if not k.moves_nothing)]


def _sum_of_kernels(table: KernelTable, known: list[KernelList], own: list[KernelList]) -> Any:
    """The sum of kernels timed alone, with nothing fitted."""
    predictor = Predictor(table, (), {n.family for n in own})
    return np.array([predictor.sums(n).hot_ns for n in own])


def _nn_meter(table: KernelTable, known: list[KernelList], own: list[KernelList]) -> Any:
    """A random forest per operator on unscaled shapes, summed: as nn-Meter, without groups and layout."""
    from sklearn.ensemble import RandomForestRegressor

    baseline_ns = table.baseline_gemm_ns
    hidden = {k for n in own for k in n.keys} - {k for n in known for k in n.keys}
    groups: dict[str, list[str]] = {}
    for key, timing in table.timings.items():
        if timing.runs and key not in hidden:
            groups.setdefault(timing.kernel.op.rpartition(".")[2], []).append(key)
    totals = []
    for network in own:
        total = 0.0
        kernels = [table.timings[k].kernel for k in network.keys if not table.timings[k].kernel.moves_nothing]
        for op in {k.op.rpartition(".")[2] for k in kernels} & set(groups):
            if op not in _FORESTS or _FORESTS[op][0] != frozenset(hidden):
                forest = RandomForestRegressor(100, random_state=0)
                timings = [table.timings[key] for key in groups[op]]
                forest.fit([simple(t.kernel) for t in timings], [t.hot_ns(baseline_ns) for t in timings])
                _FORESTS[op] = (frozenset(hidden), forest)
            rows = [simple(k) for k in kernels if k.op.rpartition(".")[2] == op]
            total += float(_FORESTS[op][1].predict(rows).sum())
        totals.append(total)
    return np.array(totals)


_FORESTS: dict[str, tuple[frozenset[str], Any]] = {}
BASELINES = {
    "sum of kernels": _sum_of_kernels,
    "FLOPs": _linear(lambda table, n: [n.macs]),
    "FLOPs + bytes": _linear(lambda table, n: [n.macs, _bytes(table, n)]),
    "roofline": _linear(_roofline),
    "nn-Meter-style": _nn_meter,
}


if __name__ == "__main__":
    main()
