"""How well `bench predict` does on networks that it never met, from committed measurements alone.

    python -m benchmarks.predict_report            # minutes; writes predict-figures.json, then: make docs

Reads what `bench predict --train` left (`predict-BACKEND.json.gz`) and what `benchmarks/predict_measure.py` measured.

- `outside`: networks of timm and torchvision that the zoo does not have.
- `mobile`, `residual`: random networks of two search spaces.
- `zoo`: those of the suite, one group of families left out at a time: neither its networks nor kernels that only it has
  may be used.

Each is predicted after 120 and after 600 seconds of training (or as many as there were). *Every kernel timed* is what
the law makes of kernels that were all timed alone; *measured twice* is how well the same networks predict themselves in
another session.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bench.predict
from bench.base.files import write_whole
from bench.predict.calibration import hidden_keys
from bench.predict.predictor import Predictor
from bench.predict.table import KernelTable, asking, read
from bench.predict.train import checked
from benchmarks.predict_accuracy import Found, Line, figures, predicted
from benchmarks.predict_baselines import LEARNED, by_family, nn_meter
from benchmarks.predict_export import lines
from benchmarks.predict_measure import FOLDER, kernels_of, latencies, law_hashes
from benchmarks.predict_networks import GROUPS, SETS, list_hash

BUDGETS_S = (120.0, 600.0)
BACKENDS = {"onnxruntime": SETS, "openvino": ("outside", "zoo")}
FIGURES = "predict-figures.json"
ALL_TIMED = 0.02  # share of a network's time that may be predicted where all its kernels were to be timed
Told = Callable[[str], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    args = parser.parse_args()
    figures = evaluate(args.folder, lambda text: print(text, flush=True))
    write_whole(args.folder / FIGURES, (json.dumps(figures, indent=1) + "\n").encode())
    print(json.dumps({k: v for k, v in figures.items() if k not in ("rows", "networks")}, indent=1))
    for row in figures["rows"]:
        print(row)


def evaluate(folder: Path, told: Told = lambda text: None) -> dict[str, Any]:
    """Return every figure as plain data."""
    rows: list[Line] = []
    networks: dict[str, Line] = {}
    training: list[Line] = []
    for backend, sets in BACKENDS.items():
        trained, other = folder / f"predict-{backend}.json.gz", kernels_of(folder, backend)
        if not (trained.exists() and other.exists()):
            told(f"{backend}: nothing was trained or listed")
            continue
        evaluation = Evaluation(folder, backend, read(trained), read(other), told)
        training += evaluation.training
        for name in sets:
            rows += evaluation.set(name)
        networks |= evaluation.networks
    return {
        "inputs": inputs(folder),
        "frozen": frozen(folder),
        "networks_listed": counted(folder),
        "training": training,
        "rows": rows,
        "networks": networks,
    }


class Evaluation:
    """One backend: its trained table, the tables after each budget, and all predictors on a set of networks."""

    def __init__(self, folder: Path, backend: str, trained: KernelTable, other: KernelTable, told: Told) -> None:
        self.backend, self.other, self.told = backend, other, told
        speed = trained.baseline_gemm_ns  # predictions are told for it
        self.first, self.second = (latencies(folder, backend, session, speed) for session in (1, 2))
        listed = {row["network"]: row for row in lines(folder / "predict-networks.jsonl")}
        self.set_of = {name: row["set"] for name, row in listed.items()}
        self.family_of = {name: row["family"] for name, row in listed.items()}
        sampled = folder / f"predict-nnmeter-{backend}.json.gz"
        self.sampled = read(sampled) if sampled.exists() else None
        met = [n for n in trained.networks if self.set_of.get(n, "zoo") != "zoo" and trained.networks[n].latency_ns]
        if met:
            raise SystemExit(f"training has measured networks that are held out: {', '.join(met)}")
        self.tables: dict[float, KernelTable] = {}
        self.training: list[Line] = []
        self.budgets = sorted({min(budget, float(math.ceil(trained.spent_s))) for budget in BUDGETS_S})
        for budget in self.budgets:
            told(f"{backend}: what {budget:g} s of training have")
            table = trained.upto(budget)
            table.calibration = trained.calibration if trained.spent_s <= budget else checked(table, told)
            self.tables[budget] = table
            self.training.append(
                {
                    "backend": backend,
                    "budget_s": budget,
                    "spent_s": round(table.spent_s, 1),
                    "kernels": sum(bool(t.runs) for t in table.timings.values()),
                    "anchors": sum(n.latency_ns is not None for n in table.networks.values()),
                }
            )
        self.networks: dict[str, Line] = {}
        self.trees: dict[float, Predictor] = {}  # nothing is hidden from them, so that all sets share them

    def set(self, name: str) -> list[Line]:
        """Return a line for each predictor on a set."""
        there = self.part(name)
        truth = {n: self.first[n] for n in there.networks}
        if not truth:
            return []
        most = self.budgets[-1]
        found: list[tuple[str, float | None, Found]] = []
        for budget in self.budgets:
            self.told(f"{self.backend} {name}: after {budget:g} s")
            found.append(("bench predict", budget, self.ours(name, there, budget)))
        oracle = self.ours(name, there, most, timed=True) if name != "zoo" else Found()
        whole = {n: truth[n] for n, share in oracle.share.items() if share < ALL_TIMED}
        self.told(f"{self.backend} {name}: baselines")
        found.append(("nn-Meter's forests, same kernels", most, self.nn_meter(name, there)))
        if self.sampled is not None:
            found.append(("nn-Meter with its own sampling", self.sampled.spent_s, self.nn_meter(name, there, True)))
        found += [(label, None, self.learned(name, there, label)) for label in LEARNED]
        rows = [self.line(name, label, budget, one, truth) for label, budget, one in found]
        if whole:
            rows.insert(len(self.budgets), self.line(name, "every kernel timed", None, oracle, whole))
        twice = {n: self.second[n] for n in truth if n in self.second}
        if twice:
            rows.append(self.line(name, "measured twice", None, Found(twice), {n: truth[n] for n in twice}))
        self.keep(name, truth, dict(zip(self.budgets, (one for _, _, one in found), strict=False)))
        return rows

    def part(self, name: str) -> KernelTable:
        """Return a table of the measured networks of a set, and of all kernels' definitions."""
        table = KernelTable(self.other.context, self.other.timings)
        table.networks = {
            n: network for n, network in self.other.networks.items() if self.set_of.get(n) == name and n in self.first
        }
        return table

    def ours(self, name: str, there: KernelTable, budget: float, timed: bool = False) -> Found:
        """Predict a set with what a budget of training has; `timed` lends it the kernels of the set."""
        if name != "zoo":
            asked, trees = asking(self.tables[budget], self.other, timed=timed), self.trees.get(budget)
            predictor = Predictor(asked, like=trees)
            self.trees.setdefault(budget, predictor)
            return predicted(predictor, asked, there.networks)
        found = Found()
        asked = asking(self.tables[budget], there, timed=timed)
        for group, families in GROUPS.items():
            own = [n for n in there.networks if self.family_of[n] == group]
            left_out = {group, *families}
            asked.calibration = [c for c in self.tables[budget].calibration if c.get("family") not in left_out]
            hidden = () if timed else hidden_keys(asked, left_out)
            one = predicted(Predictor(asked, hidden, left_out), asked, own)
            found.ns |= one.ns
            found.interval |= one.interval
            found.share |= one.share
        return found

    def nn_meter(self, name: str, there: KernelTable, own_sampling: bool = False) -> Found:
        """Predict by nn-Meter's forests."""
        asked = asking(self.tables[self.budgets[-1]], there)
        sampled = self.sampled if own_sampling else None
        found = Found()
        for group in GROUPS if name == "zoo" else ("",):
            own = [n for n in there.networks if not group or self.family_of[n] == group]
            hidden = hidden_keys(asked, {group, *GROUPS[group]}) if group else ()
            ns = nn_meter(asked, [asked.networks[n] for n in own], hidden, sampled)
            found.ns |= {n: float(x) for n, x in zip(own, ns, strict=True)}
        return found

    def learned(self, name: str, there: KernelTable, label: str) -> Found:
        """Predict by a method that learns from the latencies of all measured networks of other families."""
        table = asking(self.tables[self.budgets[-1]], self.other)
        known = {
            n: (network, self.first[n], self.family_of[n])
            for n, network in self.other.networks.items()
            if n in self.first and self.set_of.get(n) in ("zoo", "outside")
        }
        own = {n: (network, self.family_of[n]) for n, network in there.networks.items()}
        return Found(by_family(LEARNED[label], table, known, own))

    def line(self, name: str, label: str, budget: float | None, found: Found, truth: Mapping[str, float]) -> Line:
        """Sum a predictor up."""
        head = {"backend": self.backend, "set": name, "predictor": label, "training_s": budget}
        return head | figures(found, truth)

    def keep(self, name: str, truth: Mapping[str, float], ours: Mapping[float, Found]) -> None:
        """Keep what is predicted of each network."""
        for network, ns in truth.items():
            row: Line = {"set": name, "family": self.family_of[network], "measured_ms": round(ns / 1e6, 4)}
            for budget, found in ours.items():
                if network in found.ns:
                    row[f"error_{budget:g}s"] = round(found.ns[network] / ns - 1, 4)
                if network in found.interval:
                    lo, hi = found.interval[network]
                    row[f"interval_{budget:g}s"] = [round(lo / ns - 1, 4), round(hi / ns - 1, 4)]
                row[f"predicted_share_{budget:g}s"] = round(found.share.get(network, 0.0), 3)
            self.networks[f"{network} on {self.backend}"] = row


def frozen(folder: Path) -> Line:
    """Say whether what predicts today is what was fixed before the networks were measured."""
    path = folder / "predict-frozen.json"
    if not path.exists():
        return {"law": "was not fixed"}
    then = json.loads(path.read_text("utf-8"))
    now = law_hashes(Path(bench.predict.__path__[0]))
    changed = sorted(name for name in {*then["law"], *now} if then["law"].get(name) != now.get(name))
    starts = [row["at"] for row in lines(folder / "predict-latencies.jsonl") if row["set"] != "zoo"]
    return {
        "at": then["at"],
        "first_measured_at": min(starts, default=None),
        "law": "as fixed" if not changed else f"changed since: {', '.join(changed)}",
        "networks": "as fixed" if then["networks"] == list_hash() else "changed since",
        "hashes": then["law"],
    }


def counted(folder: Path) -> Line:
    """Return how many networks of each set were listed, made and measured, and what was left out, by reason."""
    rows = lines(folder / "predict-networks.jsonl")
    measured = {backend: latencies(folder, backend, 1) for backend in BACKENDS}
    return {
        "sets": {
            name: {
                "listed": sum(r["set"] == name for r in rows),
                "made": sum(r["set"] == name and not r["left_out"] for r in rows),
                **{b: sum(r["set"] == name and r["network"] in ns for r in rows) for b, ns in measured.items()},
            }
            for name in SETS
        },
        "left_out": {r["network"]: r["left_out"] for r in rows if r["left_out"]},
    }


def inputs(folder: Path) -> dict[str, str]:
    """Return a hash of every file that the figures are of."""
    names = [f"predict-{kind}.jsonl" for kind in ("networks", "latencies")] + ["predict-frozen.json"]
    names += [f"predict-{kind}{b}.json.gz" for b in BACKENDS for kind in ("", "kernels-", "nnmeter-")]
    there = [folder / name for name in names if (folder / name).exists()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in there}


if __name__ == "__main__":
    main()
