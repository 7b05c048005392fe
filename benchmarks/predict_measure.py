"""Measures the networks that predictions are held against, end to end. Every step goes on where it was interrupted.

    python -m benchmarks.predict_measure export --seconds 220          # makes the networks; needs PyTorch, timm
    python -m benchmarks.predict_measure freeze                        # from here on the law is fixed
    python -m benchmarks.predict_measure measure --seconds 600         # needs a quiet machine
    python -m benchmarks.predict_measure measure --backend openvino --set zoo --set outside
    python -m benchmarks.predict_measure again                         # some once more: the noise floor
    python -m benchmarks.predict_measure list [--backend openvino]     # reads their kernels
    python -m benchmarks.predict_measure kernels --seconds 480         # the oracle: times all that training did not

Everything lies in results/MACHINE (`--folder`): `predict-networks.jsonl` (what was made, what was left out and why),
`predict-frozen.json`, `predict-latencies.jsonl` (every attempt, block by block) and
`predict-kernels-BACKEND.json.gz`. `benchmarks/predict_report.py` reads them. Only one thread, batch 1.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import bench.predict
from bench import backends
from bench.backends.answers import Block
from bench.base.errors import BenchError
from bench.base.files import write_whole
from bench.machine.baseline import reading
from bench.measure.runner import Observer, Runner
from bench.plan.case import BackendRef, Case, Plan, Settings
from bench.plan.protocol import KernelProtocol, Protocol
from bench.predict import train
from bench.predict.table import SLOW, KernelList, KernelTable, read
from bench.rows.schema import Row
from bench.stats.repeats import SLOPE
from benchmarks.predict_export import Record, append, artifact_of, export, lines, told, usable
from benchmarks.predict_networks import ROOT, SETS, Member, list_hash, members

FOLDER = ROOT / "results" / "epyc-vm-2core"
# Two launches of six networks in turns, a second and more of inferences each: half of what `--train` gives an anchor.
PROTOCOL = Protocol(launches=2, max_launches=2, rounds=4, block_ms=60.0, live=6, budget_s=60.0)
ATTEMPTS = 3  # times that a network whose measurement was disturbed is measured
MOST_APART, MOST_ASIDE = 0.15, 0.7  # of two launches; share of disturbed blocks, at most
AGAIN = 30  # networks from outside that are measured in a second session
LAW = ("law", "features", "regressor", "predictor", "calibration")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=("export", "freeze", "measure", "again", "list", "kernels"))
    parser.add_argument("--seconds", type=float, default=240.0, help="after which nothing more is begun")
    parser.add_argument("--set", action="append", choices=SETS, help="repeatable  [default: all]")
    parser.add_argument("--only", action="append", help="one network by name; repeatable")
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--jobs", type=int, default=2, help="of export")
    parser.add_argument(
        "--export-s", type=float, default=250.0, help="of `measure`: for what is not exported yet, first"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--trained", type=Path, help="the trained table, for `kernels`")
    parser.add_argument("--law", type=Path, default=Path(bench.predict.__path__[0]), help="where the law's sources are")
    args = parser.parse_args()
    folder = args.folder.resolve()
    trained = args.trained.resolve() if args.trained else folder / f"predict-{args.backend}.json.gz"
    os.chdir(ROOT)  # networks of the spaces are named from here
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [m for m in members(args.set or SETS) if not args.only or m.network.model.canonical in args.only]
    if args.do == "freeze":
        return freeze(folder, args.law)
    if args.do == "export" or (args.do == "measure" and args.export_s):
        seconds = args.seconds if args.do == "export" else args.export_s
        left = export(folder, chosen, time.monotonic() + seconds, args.jobs)
        if args.do == "export":
            return left
    deadline = time.monotonic() + args.seconds
    chosen = usable(folder, chosen)
    ref = backends.resolve(args.backend)
    if args.do in ("measure", "again"):
        return measure(folder, chosen, ref, deadline, 1 if args.do == "measure" else 2)
    if args.do == "list":
        return list_kernels(folder, chosen, ref, deadline)
    return time_missing(folder, chosen, ref, deadline, trained)


def freeze(folder: Path, sources: Path) -> int:
    """Write down what predicts and what will be measured; refused once something was measured."""
    measured = [row for row in lines(folder / "predict-latencies.jsonl") if row["set"] != "zoo"]
    if measured:
        print(f"{len(measured)} measurements are there already: what is fixed now was not fixed before them")
        return 1
    at = datetime.now(UTC).isoformat(timespec="seconds")
    frozen = {"at": at, "law": law_hashes(sources), "networks": list_hash(), "protocol": asdict(PROTOCOL)}
    write_whole(folder / "predict-frozen.json", (json.dumps(frozen, indent=1) + "\n").encode())
    print(json.dumps(frozen["law"]))
    return 0


def law_hashes(sources: Path) -> dict[str, str]:
    """Hash what each module that predicts computes: its syntax tree without comments and docstrings."""
    return {name: code_hash((sources / f"{name}.py").read_text("utf-8")) for name in LAW}


def code_hash(source: str) -> str:
    """Return a hash of a module's syntax tree; layout, comments and docstrings change nothing."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def measure(folder: Path, chosen: Sequence[Member], ref: BackendRef, deadline: float, session: int) -> int:
    """Measure each set in random order, six networks at a time, until each was undisturbed once."""
    frozen = folder / "predict-frozen.json"
    if not frozen.exists() or json.loads(frozen.read_text("utf-8"))["networks"] != list_hash():
        print("fix the law and the list of networks first: `freeze`")
        return 1
    file = folder / "predict-latencies.jsonl"
    if session == 2:
        chosen = second(folder, chosen, ref)
    order = list(chosen)
    random.Random(session).shuffle(order)
    order.sort(key=lambda m: SETS.index(m.set))
    while True:
        rows = [r for r in lines(file) if (r["backend"], r["session"]) == (ref.canonical, session)]
        todo = [m for m in order if wanted(m.name, rows)]
        if not todo or time.monotonic() > deadline:
            return told(len(todo), f"measured with {ref.canonical}")
        for i in range(0, len(todo), PROTOCOL.live):
            if time.monotonic() > deadline:
                break
            group = todo[i : i + PROTOCOL.live]
            append(file, measured(group, ref, session, rows))
            print(f"{i + len(group)} of {len(todo)}", flush=True)


def second(folder: Path, chosen: Sequence[Member], ref: BackendRef) -> list[Member]:
    """Return the networks of the second session: of those from outside that the first has, some at random."""
    first = latencies(folder, ref.canonical, 1)
    there = [m for m in chosen if m.set == "outside" and m.name in first]
    return random.Random(2).sample(there, min(AGAIN, len(there)))


def wanted(name: str, rows: Iterable[Record]) -> bool:
    """Tell whether a network is to be measured (again)."""
    mine = [row for row in rows if row["network"] == name]
    return not any(row["sound"] for row in mine) and len(mine) < ATTEMPTS


def measured(group: Sequence[Member], ref: BackendRef, session: int, earlier: Sequence[Record]) -> list[Record]:
    """Measure networks side by side and return a record each, every block of it with the reference workloads' times."""
    cases = {case.id: (case, m) for m in group for case in [Case(m.network, ref, Settings(threads=1))]}
    blocks: dict[str, list[list[list[int]]]] = {}

    def keep(records: list[Record]) -> None:
        for record in records:
            told_of = [_block(block) for block in record["blocks"]]
            blocks.setdefault(record["case_id"], []).append(told_of)

    plan = Plan(tuple(case for case, _ in cases.values()), PROTOCOL)
    found = []
    for row in Runner(plan, observer=Observer(samples=keep), artifact_of=artifact_of).run():
        member = cases[row.case_id][1]
        launches = blocks.get(row.case_id, [])
        attempt = sum(r["network"] == member.name for r in earlier) + 1
        found.append(
            {
                "network": member.name,
                "set": member.set,
                "family": member.family,
                "backend": ref.canonical,
                "version": row.backend_version,
                "session": session,
                "attempt": attempt,
                "at": row.started_at,
                "latency_ns": round(row.latency_ms * 1e6) if row.latency_ms else None,
                "sound": sound(row, launches),
                "aside": row.set_aside,
                "speed": row.machine_speed,
                "baseline_ns": row.baseline_ns,
                "launches": launches,
                "status": row.status,
                "error": (row.error or "")[:200],
                "sha256": row.artifact_sha256,
            }
        )
    return found


def _block(block: Block) -> list[int]:
    """Return a block's median, and the times of product and copy beside it, in ns, and its number of inferences."""
    beside, times = reading(block), block["latency_ns"]
    return [round(x) for x in (statistics.median(times), beside.gemm_ns, beside.copy_ns, len(times))]


def sound(row: Row, launches: Sequence[Sequence[Sequence[int]]]) -> bool:
    """Tell whether a measurement counts: nothing failed, most blocks were undisturbed, and its launches agree."""
    if row.status not in ("ok", "noisy") or not row.latency_ms or (row.set_aside or 0.0) >= MOST_ASIDE:
        return False
    medians = [statistics.median(block[0] for block in launch) for launch in launches if launch]
    return len(medians) > 1 and max(medians) / min(medians) - 1 < MOST_APART


def latencies(folder: Path, backend: str, session: int, baseline_ns: float | None = None) -> dict[str, float]:
    """Return the latency in ns of every network that was measured undisturbed.

    With `baseline_ns`, the reference workload's time at the speed that a table of kernels is told for, that at this
    speed: what it predicts.
    """
    rows = (r for r in lines(folder / "predict-latencies.jsonl") if (r["backend"], r["session"]) == (backend, session))
    found = {row["network"]: row for row in rows if row["sound"]}
    if baseline_ns is None:
        return {name: float(row["latency_ns"]) for name, row in found.items()}
    return {name: told_for(row["launches"], baseline_ns) for name, row in found.items()}


def told_for(launches: Sequence[Sequence[Sequence[int]]], baseline_ns: float) -> float:
    """Return the mean of launches, each the median of its undisturbed blocks, at the baseline speed."""
    logs = []
    for launch in launches:
        calm = [block for block in launch if block[1] < SLOW * baseline_ns] or launch
        logs.append(statistics.median(math.log(b[0]) - SLOPE * math.log(b[1] / baseline_ns) for b in calm))
    return math.exp(statistics.fmean(logs))


def kernels_of(folder: Path, backend: str) -> Path:
    """Return the table of the kernels of these networks."""
    return folder / f"predict-kernels-{backend.partition(':')[0]}.json.gz"


def list_kernels(folder: Path, chosen: Sequence[Member], ref: BackendRef, deadline: float) -> int:
    """Read the kernels of every network from the graph that the runtime makes of it; nothing is timed."""
    place = train.Place()
    table = _table(folder, ref, place)
    todo = [m for m in chosen if m.name not in table.networks]
    left = len(todo)
    with place.probes(table, ref) as probes:
        for member in todo:
            if time.monotonic() > deadline:
                break
            artifact = artifact_of(member.network)
            try:
                found = probes.kernels(artifact=artifact.folder)
            except BenchError as error:
                print(f"{member.name}: {error.message}")
                continue
            keys = tuple(table.add(found.kernels))
            table.networks[member.name] = KernelList(
                member.name, keys, found.lost, artifact.macs, sha256=artifact.sha256, family=member.family
            )
            left -= 1
    table.save()
    return told(left, "listed")


def time_missing(folder: Path, chosen: Sequence[Member], ref: BackendRef, deadline: float, trained: Path) -> int:
    """Time every kernel of the networks from outside that training has not timed."""
    place = train.Place(protocol=KernelProtocol())
    table = _table(folder, ref, place)
    known = {key for key, timing in read(trained).timings.items() if timing.runs}
    outside = {m.name for m in chosen if m.set == "outside"}
    keys = {key for name, n in table.networks.items() if name in outside for key in n.keys} - known
    done = train.time_kernels(table, ref, lambda text: print(text, flush=True), deadline, only=keys, place=place)
    left = sum(
        not t.runs and not t.failed and not t.kernel.moves_nothing for k, t in table.timings.items() if k in keys
    )
    return told(left if not done else 0, f"of {len(keys)} kernels timed")


def _table(folder: Path, ref: BackendRef, place: train.Place) -> KernelTable:
    file = kernels_of(folder, ref.canonical)
    context = train.context(ref, 1, place.transport)
    table = read(file) if file.exists() else KernelTable(context)
    if table.context != context:
        raise SystemExit(f"{file} is of another machine or runtime ({table.context}); give another --folder")
    table.file = file
    return table


if __name__ == "__main__":
    sys.exit(main())
