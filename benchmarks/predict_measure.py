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

import multiprocessing
import os
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bench.predict
from bench import backends
from bench.artifact.artifact import Artifact, load, made
from bench.backends.answers import Block
from bench.base import cache
from bench.base.errors import ArtifactError, BenchError, first_line
from bench.base.files import write_whole
from bench.export.key import Recipe, key_of, recipe
from bench.machine.baseline import reading
from bench.measure.runner import Observer, Runner
from bench.plan.case import BackendRef, Case, Network, Plan, Settings
from bench.plan.protocol import KernelProtocol, Protocol
from bench.predict import train
from bench.predict.table import SLOW, KernelList, KernelTable, read
from bench.rows.schema import Row
from bench.stats.repeats import SLOPE
from benchmarks.predict_networks import MOST_BYTES, MOST_MACS, ROOT, SETS, Member, list_hash, members

FOLDER = ROOT / "results" / "epyc-vm-2core"
# Two launches of six networks in turns, a second and more of inferences each: half of what `--train` gives an anchor.
PROTOCOL = Protocol(launches=2, max_launches=2, rounds=4, block_ms=60.0, live=6, budget_s=60.0)
ATTEMPTS = 3  # times that a network whose measurement was disturbed is measured
MOST_APART, MOST_ASIDE = 0.15, 0.7  # of two launches; share of disturbed blocks, at most
AGAIN = 30  # networks from outside that are measured in a second session
EXPORT_S, LAST_S = 90.0, 20.0  # an export's longest time; and of the last ones, once no more are begun
OLDER_OPSET = 17
LAW = ("law", "features", "regressor", "predictor", "calibration")
Record = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=("export", "freeze", "measure", "again", "list", "kernels"))
    parser.add_argument("--seconds", type=float, default=240.0, help="after which nothing more is begun")
    parser.add_argument("--set", action="append", choices=SETS, help="repeatable  [default: all]")
    parser.add_argument("--only", action="append", help="one network by name; repeatable")
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--jobs", type=int, default=2, help="of export")
    parser.add_argument("--export-s", type=float, default=250.0, help="of `measure`: for what is not exported yet, first")
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


# Networks ------------------------------------------------------------------------------------------------------------


def export(folder: Path, chosen: Sequence[Member], deadline: float, jobs: int) -> int:
    """Make artifacts in processes that import PyTorch and its exporter once each."""
    file = folder / "predict-networks.jsonl"
    done = {row["network"] for row in lines(file)}
    waiting = [m for m in chosen if m.name not in done][::-1]
    makers = [_Maker() for _ in range(min(jobs, len(waiting)))]
    try:
        while waiting or any(maker.member for maker in makers):
            over = time.monotonic() > deadline
            if over and (time.monotonic() > deadline + LAST_S or not any(maker.member for maker in makers)):
                break
            for maker in makers:
                row = maker.answer()
                if row is not None:
                    append(file, [row])
                    print(f"{row['network']}: {row['left_out'] or str(row['macs'] // 10**6) + ' MMACs'}", flush=True)
                if maker.member is None and waiting and not over:
                    maker.ask(waiting.pop())
            wait([maker.pipe for maker in makers], 0.5)
    finally:
        left = len(waiting) + sum(maker.member is not None for maker in makers)
        for maker in makers:
            maker.process.kill()
    return told(left, "exported")


class _Maker:
    """A process that exports one network after the other; a new one where it dies of one or takes too long."""

    def __init__(self) -> None:
        self.member: Member | None = None
        self._start()

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork of a process with PyTorch's threads hangs
        self.pipe, there = spawn.Pipe()
        self.process = spawn.Process(target=_export_all, args=(there,), daemon=True)
        self.process.start()
        there.close()

    def ask(self, member: Member) -> None:
        self.member, self._begun = member, time.monotonic()
        self.pipe.send(member)

    def answer(self) -> Record | None:
        """Return what became of a network, once that is known."""
        if self.member is None:
            return None
        late = time.monotonic() - self._begun > EXPORT_S
        if not (late or self.pipe.poll()):
            return None
        try:
            row: Record = self.pipe.recv() if self.pipe.poll() else {}
        except EOFError:
            row = {}
        if not row:
            row = _network_row(self.member, None, f"took more than {EXPORT_S:g} s" if late else "its export died")
            self.process.kill()
            self._start()
        self.member = None
        return row


def _export_all(pipe: Any) -> None:
    """Export what is asked for, one network after the other."""
    import torch

    import bench.export.child  # noqa: F401 (so that it is imported once)

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (it ends with this process)
    while True:
        member = pipe.recv()
        pipe.send(_export_one(member))
        torch._dynamo.reset()


def _export_one(member: Member) -> Record:
    try:
        artifact = artifact_of(member.network, make=_make)
    except Exception as error:
        message = error.message if isinstance(error, BenchError) else f"{type(error).__name__}: {first_line(error)}"
        return _network_row(member, None, message[:200] or "cannot be exported")
    why = artifact.complaint
    if member.set == "zoo":  # whatever its size
        return _network_row(member, artifact, why)
    if artifact.macs > MOST_MACS:
        why = f"{artifact.macs / 1e9:.1f} GMACs are more than {MOST_MACS / 1e9:g}"
    elif artifact.bytes > MOST_BYTES:
        why = f"{artifact.bytes / 1e6:.0f} MB are more than {MOST_BYTES / 1e6:g}"
    return _network_row(member, artifact, why)


def _network_row(member: Member, artifact: Artifact | None, left_out: str) -> Record:
    row: Record = {"network": member.name, "set": member.set, "family": member.family, "left_out": left_out}
    if artifact is not None:
        row |= {"macs": artifact.macs, "bytes": artifact.bytes, "params": artifact.params, "sha256": artifact.sha256}
        row |= {"made_by": artifact.made_by}
    return row


def _make(made_from: Recipe, draft: Path) -> None:
    """Export, and drop the weights beside the ONNX file: no PyTorch is measured, and they are half of the disk."""
    from unittest.mock import patch

    import torch

    from bench.export.child import export as exported

    with patch.object(torch.onnx, "export", partial(_export_faster, torch.onnx.export, draft)):
        exported({**made_from, "draft": str(draft)}, draft)
    weights, told_of = draft / "weights.pt", draft / "artifact.json"
    weights.unlink()
    data = json.loads(told_of.read_text("utf-8"))
    del data["digests"][weights.name]
    told_of.write_text(json.dumps(data, indent=1), "utf-8")


def _export_faster(export: Callable[..., Any], draft: Path, model: Any, args: Any, **how: Any) -> Any:
    """Export by PyTorch's older exporter, which takes a tenth of the time: hours, for all of them."""
    import onnx_ir

    path = draft / "older.onnx"
    names = {key: how[key] for key in ("input_names", "output_names")}
    export(model, args, str(path), dynamo=False, opset_version=OLDER_OPSET, **names)
    found = onnx_ir.load(path)

    def save(to: str, external_data: bool) -> None:
        onnx_ir.save(found, to)
        path.unlink()

    return SimpleNamespace(model=found, save=save)


def artifact_of(network: Network, *_: object, make: Callable[[Recipe, Path], None] | None = None) -> Artifact:
    """Return a network's artifact: that of `bench` where it is in the cache, else the one without PyTorch's weights.

    Raises:
        ArtifactError: there is none, and `make` is not given.
    """
    made_from = recipe(network, 0)
    key = key_of(made_from)
    if (there := cache.folder("artifacts") / key).exists():
        return load(there)
    final = cache.folder("protocols") / key
    if make is None:
        if not final.exists():
            raise ArtifactError(f"{network} was not exported here", "run `export` first")
        return load(final)
    return made(final, partial(make, made_from))


def usable(folder: Path, chosen: Sequence[Member]) -> list[Member]:
    """Return the networks that were exported and not left out."""
    kept = {row["network"] for row in lines(folder / "predict-networks.jsonl") if not row["left_out"]}
    return [m for m in chosen if m.name in kept]


# The law is fixed ----------------------------------------------------------------------------------------------------


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
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                node.body = body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


# Latencies -----------------------------------------------------------------------------------------------------------


def measure(folder: Path, chosen: Sequence[Member], ref: BackendRef, deadline: float, session: int) -> int:
    """Measure each set in random order, six networks at a time, until each was undisturbed once or tried `ATTEMPTS` times."""
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
    """Return the mean of launches, each the median of its undisturbed blocks, at the baseline speed, as training does."""
    logs = []
    for launch in launches:
        calm = [block for block in launch if block[1] < SLOW * baseline_ns] or launch
        logs.append(statistics.median(math.log(b[0]) - SLOPE * math.log(b[1] / baseline_ns) for b in calm))
    return math.exp(statistics.fmean(logs))


# Kernels -------------------------------------------------------------------------------------------------------------


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
    left = sum(not t.runs and not t.failed and not t.kernel.moves_nothing for k, t in table.timings.items() if k in keys)
    return told(left if not done else 0, f"of {len(keys)} kernels timed")


def _table(folder: Path, ref: BackendRef, place: train.Place) -> KernelTable:
    file = kernels_of(folder, ref.canonical)
    context = train.context(ref, 1, place.transport)
    table = read(file) if file.exists() else KernelTable(context)
    if table.context != context:
        raise SystemExit(f"{file} is of another machine or runtime ({table.context}); give another --folder")
    table.file = file
    return table


# Files ---------------------------------------------------------------------------------------------------------------


def lines(path: Path) -> list[Record]:
    """Read JSON lines; none where there is no file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def append(path: Path, rows: Sequence[Record]) -> None:
    """Add JSON lines."""
    with path.open("a", encoding="utf-8") as handle:
        handle.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def told(left: int, what: str) -> int:
    """Say how many are left; the exit code is 75 while there are some."""
    print(f"{left} are not {what} yet: run it again" if left else f"all {what}", flush=True)
    return 75 if left else 0


if __name__ == "__main__":
    sys.exit(main())
