"""How often does `bench ab` call two equal things different? A/A pairs, recorded, then judged as `bench ab` would.

    python benchmarks/ab_false_alarms.py --pairs 40 --output aa.csv shufflenetv2@openvino mobilenetv2@onnxruntime

Every side is compared with itself. Pairs are appended to the samples beside --output, and a second call goes on where
the first one stopped. Printed: spread of a pair's log-ratio, and the verdicts of disjoint and of resampled comparisons.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from bench.measure.cases import case as read
from bench.measure.pairs import run
from bench.plan.protocol import PairProtocol
from bench.rows import file as records
from bench.stats.verdict import decide

PER_COMPARISON = 10


def record(spec: str, wanted: int, output: Path, seed: int) -> list[float]:
    """Measure the pairs that are still missing and return the log-ratios of all."""
    case = read(spec)
    done = [
        r["log_ratio"]
        for r in (records.read_samples(output) if records.samples_path(output).exists() else ())
        if r["a"] == r["b"] == case.identity()
    ]
    pairs = run(case, case, PairProtocol(seed=seed), done=len(done))
    while len(done) < wanted:
        pair = next(pairs)
        done.append(pair.log_ratio)
        identity = {"a": case.identity(), "b": case.identity(), "seed": seed}
        records.append_samples(output, [identity | pair.raw | {"log_ratio": pair.log_ratio}])
        print(f"\r{spec}: pair {len(done)} of {wanted}", end="", flush=True)
    print()
    return done


def analyse(ratios: list[float], margin: float = 0.01, draws: int = 2000) -> None:
    """Print what `bench ab` would have said of comparisons of ten pairs, and what it would say of a slowdown."""
    x = np.array(ratios)
    middle = 1.4826 * np.median(np.abs(x - np.median(x)))
    print(f"  log-ratio of a pair: mean {x.mean():+.2%}, sd {x.std(ddof=1):.2%}, robust sd {middle:.2%}, n {len(x)}")
    disjoint = [x[i : i + PER_COMPARISON] for i in range(0, len(x) - PER_COMPARISON + 1, PER_COMPARISON)]
    print(f"  disjoint comparisons: {dict(Counter(decide(list(d), margin).verdict for d in disjoint))}")
    rng = np.random.default_rng(0)
    symmetric = np.concatenate([x, -x])  # which side is called A is a matter of chance
    for n in (10, 20, 30):
        counts = {shift: Counter() for shift in (0.0, 0.02, 0.03, 0.05)}
        for _ in range(draws):
            sample = rng.choice(symmetric, n)
            for shift, counter in counts.items():
                counter[decide(list(sample + np.log1p(shift)), margin).verdict] += 1
        false = (counts[0.0]["slower"] + counts[0.0]["faster"]) / draws
        power = ", ".join(f"+{s:.0%} {counts[s]['slower'] / draws:.0%}" for s in (0.02, 0.03, 0.05))
        print(f"  resampled, {n} pairs: false verdicts {false:.2%}; a shift would be found: {power}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sides", nargs="+")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--output", type=Path, default=Path("aa.csv"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    records.prepare_samples(args.output)
    for spec in args.sides:
        ratios = record(spec, args.pairs, args.output, args.seed)
        print(spec)
        analyse(ratios)


if __name__ == "__main__":
    main()
