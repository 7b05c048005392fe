"""Do three networks tell the others? Leave one device, one maker, one runtime out of the published tables.

    python -m benchmarks.devices_transfer [--output results/published-devices/transfer.json] [--fast]

Nothing is measured: it reads models/published/devices/. A device is left out with all its settings and revisions (by
chip). Beside the prediction of `bench devices like` stand others that were given the same three latencies: a model of
rank 2, one ridge for all devices, a Gaussian process over devices, the nearest device scaled, a line through MACs, and
MACs with memory access. The noise floor is what two settings of one chip differ by that two people measured. `--fast`
leaves out that the probes are chosen anew without each device (minutes). Every figure is over all networks but the
probes and all settings, none left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.devices.settings import settings
from bench.devices.transfer import FIFTEEN, LEVEL, Floats, Table, choose, left_out, tabulate, widths
from bench.plan.suite import shipped
from bench.plan.zoo import resolve
from benchmarks.devices_methods import METHODS, Method, ours

OUTPUT = Path(__file__).parent.parent / "results" / "published-devices" / "transfer.json"
LEAST_RUNTIME = 4  # networks that a runtime must share with the rest: three probes, and one to be foreseen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--fast", action="store_true")
    args = parser.parse_args()
    found = evaluate(args.fast)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    for name in ("device", "maker"):
        for method, told in found[name].items():
            print(f"leave one {name} out, {method}: {line(told)}")
    for row in found["runtime"]:
        print(f"leave {row['runtime']} out ({row['settings']} settings, {row['networks']} networks): {line(row)}")
    print(f"noise floor ({found['floor']['pairs']} pairs): {line(found['floor'])}")
    print("coverage of 90% intervals:", found["coverage"])


def line(told: dict[str, Any]) -> str:
    return f"median {told['median']:.1%}, within 10% {told['within_10']:.0%}, within 20% {told['within_20']:.0%}"


def evaluate(fast: bool = False) -> dict[str, Any]:
    """Return every figure as plain data."""
    whole = tabulate([s for s in settings() if s.unit == "cpu"], FIFTEEN)
    buildable = [k for k, column in enumerate(whole.columns) if column.endswith(" 224 px")]  # as a suite runs them
    probes = suite_probes(whole)
    makers = np.array([s.device.maker for s in whole.settings])
    found: dict[str, Any] = {
        "settings": len(whole.settings),
        "chips": len(set(whole.chips)),
        "makers": len(set(makers)),
        "networks": list(whole.columns),
        "probes": [whole.columns[k] for k in probes],
        "chosen": [whole.columns[k] for k in choose(whole, buildable)],
    }
    splits = {"device": whole.chips, "maker": makers}
    coverage = {}
    for name, groups in splits.items():
        found[name] = {}
        for method, how in METHODS.items():
            errors = out(whole, probes, groups, how)
            found[name][method] = figures(errors)
            if how is ours and name == "device":
                found["by_network"] = {
                    c: figures(errors[:, [k]]) for k, c in enumerate(whole.columns) if k not in probes
                }
                found["by_class"] = {
                    kind: figures(errors[[s.kind == kind for s in whole.settings]])
                    for kind in dict.fromkeys(s.kind for s in whole.settings)
                }
        coverage[name] = covered(whole, probes, groups)
    found["coverage"] = coverage
    if not fast:
        found["chosen_without"] = chosen_without(whole, buildable)
    found["floor"] = floor(whole, probes)
    found["runtime"] = runtimes()
    return found


def suite_probes(table: Table) -> list[int]:
    """Return the columns of the networks of `bench run --suite probe`."""
    refs = [resolve(model) for model in shipped()["probe"].models]
    return [table.columns.index(f"{ref.canonical} {ref.resolution} px") for ref in refs]


def out(table: Table, probes: Sequence[int], groups: NDArray[np.str_], how: Method) -> Floats:
    """Return the errors (ln) of every setting, predicted from those of other groups; NaN for the probes."""
    probes = list(probes)
    if how is ours:
        return left_out(table, probes, groups)
    errors = np.full(table.logs.shape, np.nan)
    for group in np.unique(groups):
        train = table.keep(groups != group)
        for i in np.flatnonzero(groups == group):
            errors[i] = how(train, probes, table.logs[i, probes]) - table.logs[i]
    errors[:, probes] = np.nan
    return errors


def figures(errors: Floats) -> dict[str, Any]:
    """Sum up errors (ln) as shares of the published latency."""
    known = errors[np.isfinite(errors)]
    off = np.abs(np.expm1(known))
    quarter, median, most, worst = np.percentile(off, (25, 50, 90, 100))
    return {
        "n": len(off),
        "median": round(float(median), 4),
        "quartile": round(float(quarter), 4),
        "p90": round(float(most), 4),
        "worst": round(float(worst), 4),
        "mean": round(float(off.mean()), 4),
        "within_10": round(float((off <= 0.1).mean()), 4),
        "within_20": round(float((off <= 0.2).mean()), 4),
    }


def covered(table: Table, probes: Sequence[int], groups: NDArray[np.str_]) -> dict[str, Any]:
    """Return how often the 90% interval holds what is published, learnt without the group that is left out."""
    inside: list[bool] = []
    reach: list[float] = []
    errors = left_out(table, probes, groups)
    for group in np.unique(groups):
        train = table.keep(groups != group)
        wide = widths(left_out(train, probes), train.weights)
        mine = errors[groups == group]
        there = np.isfinite(mine)
        inside += (np.abs(mine) <= wide)[there].tolist()
        reach += np.broadcast_to(wide, mine.shape)[there].tolist()
    return {
        "level": LEVEL,
        "share": round(float(np.mean(inside)), 4),
        "n": len(inside),
        "median_factor": round(float(np.exp(np.median(reach))), 3),
    }


def chosen_without(table: Table, candidates: Sequence[int]) -> dict[str, Any]:
    """Choose the probes anew without each chip, and predict its other networks from those."""
    errors = np.full(table.logs.shape, np.nan)
    choices: dict[str, int] = {}
    for chip in np.unique(table.chips):
        train = table.keep(table.chips != chip)
        probes = choose(train, candidates)
        name = ", ".join(sorted(table.columns[k] for k in probes))
        choices[name] = choices.get(name, 0) + 1
        for i in np.flatnonzero(table.chips == chip):
            errors[i] = ours(train, probes, table.logs[i, probes]) - table.logs[i]
            errors[i, probes] = np.nan
    return figures(errors) | {"choices": choices}


def floor(table: Table, probes: Sequence[int]) -> dict[str, Any]:
    """Return what two settings of one chip, with as many threads on the same cores, differ by when measured twice.

    Of the networks that are no probes, once their speeds are made equal on the probes. Both are noisy:
    a prediction from many devices may be nearer to each than they are to each other.
    """
    probes = list(probes)
    pairs = [
        (i, j)
        for i, j in itertools.combinations(range(len(table.settings)), 2)
        if (a := table.settings[i]).device.chip == (b := table.settings[j]).device.chip
        and (a.threads, a.cores) == (b.threads, b.cores)
    ]
    level = table.logs[:, probes].mean(axis=1)
    shape = table.logs - level[:, None]
    shape[:, probes] = np.nan
    plain = table.logs.copy()
    plain[:, probes] = np.nan
    told = figures(np.array([shape[i] - shape[j] for i, j in pairs]))
    chips = sorted({str(table.chips[i]) for i, _ in pairs})
    return told | {
        "pairs": len(pairs),
        "chips": chips,
        "unscaled": figures(np.array([plain[i] - plain[j] for i, j in pairs])),
    }


def runtimes() -> list[dict[str, Any]]:
    """Leave one runtime out: the probes are chosen from the networks that it shares with the rest."""
    table = tabulate(settings())
    families = np.array(
        [s.runtime.split(" ")[0] if s.runtime[:4] != "ONNX" else "ONNX Runtime" for s in table.settings]
    )
    zoo = np.array([column.endswith(" px") for column in table.columns])
    found = []
    for family in dict.fromkeys(families):
        mine, rest = table.keep(families == family), table.keep(families != family)
        shared = common(mine, rest, zoo)
        if len(shared) < LEAST_RUNTIME:
            continue
        part = Table(tuple(table.columns[k] for k in shared), rest.logs[:, shared], rest.settings)
        part = part.keep(part.having(range(len(shared))))
        probes = choose(part, range(len(shared)))
        test = mine.logs[:, shared]
        test = test[np.isfinite(test).all(axis=1)]
        wide = widths(left_out(part, probes), part.weights)
        errors = np.array([ours(part, probes, one[probes]) - one for one in test]).reshape(len(test), len(shared))
        errors[:, probes] = np.nan
        if len(test):
            there = np.isfinite(errors)
            found.append(
                {
                    "runtime": family,
                    "settings": len(test),
                    "networks": len(shared),
                    "trained_on": len(part.settings),
                    "probes": [part.columns[k] for k in probes],
                    "coverage": round(float((np.abs(errors) <= wide)[there].mean()), 4),
                    **figures(errors),
                }
            )
    return found


def common(mine: Table, rest: Table, zoo: NDArray[np.bool_]) -> list[int]:
    """Return networks that this runtime and the others have, as many as enough settings of both have together."""
    shared: list[int] = []
    counts = np.minimum(np.isfinite(mine.logs).sum(axis=0), np.isfinite(rest.logs).sum(axis=0)) * zoo
    for k in np.argsort(-counts, kind="stable"):
        more = [*shared, int(k)]
        part = rest.keep(rest.having(more))
        if zoo[k] and mine.having(more).sum() >= 3 and len(part.settings) >= 15 and len(set(part.chips)) >= 3:
            shared = more
    return shared


if __name__ == "__main__":
    main()
