"""Makes the networks that predictions are held against: artifacts of `bench`, made by another exporter."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.artifact.artifact import Artifact, load, made
from bench.base import cache
from bench.base.errors import ArtifactError, BenchError, first_line
from bench.export.key import Recipe, key_of, recipe
from bench.plan.case import Network
from benchmarks.predict_networks import MOST_BYTES, MOST_MACS, Member

EXPORT_S, LAST_S = 90.0, 20.0  # an export's longest time; and of the last ones, once no more are begun
OLDER_OPSET = 17
Record = dict[str, Any]


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
    """Export by the faster exporter."""
    from unittest.mock import patch

    import torch

    from bench.export.child import export as exported

    with patch.object(torch.onnx, "export", partial(_export_faster, torch.onnx.export, draft)):
        exported({**made_from, "draft": str(draft)}, draft)


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
    """Return a network's artifact: that of `bench` where it is in the cache, else the one made here.

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
