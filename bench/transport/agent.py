"""The one process of ours on another machine: starts workers, hands bytes to and fro, ends all when the line dies.

    {"do": "hello"}                                        who is there
    {"do": "start", "id": 1, "module": "bench.measure.worker", "python": "", "settings": {...}, "timeout_s": 120}
    {"do": "tell", "id": 1, "bytes": 20}                   20 bytes for the worker's stdin follow
    {"do": "end", "id": 1}
    {"do": "want", "digest": ..., "files": [[NAME, BYTES], ...]}
    {"do": "put", "digest": ..., "name": "model.onnx", "at": 0, "bytes": 262144}
    {"do": "done", "digest": ..., "files": [[NAME, SHA256], ...]}
    {"do": "doctor", "threads": 1}

Answers are ``{"ok": ...}`` or ``{"error": ..., "hint": ..., "status": ...}``, in the order of the requests; `tell` and
`end` have none. Unasked come ``{"id": 1, "bytes": 99}`` with what a worker wrote, and ``{"id": 1, "exit": 0, ...}``.

While a block runs it waits in `select`: it costs the measurement nothing. It ends, and every worker with it, when its
stdin does; when no request came for longer than any answer may take (the cable is out, and nobody here is told); and
when a new outpost of the same run comes up beside it.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
import traceback
from dataclasses import asdict
from typing import Any

import psutil

from bench import __version__
from bench.base.errors import BenchError, UsageError
from bench.transport import store
from bench.transport.frames import PROTOCOL, Decoder, encode
from bench.transport.local import LocalProcess, LocalReach

MODULES = ("bench.measure.worker",)
# How long nobody may ask anything: with workers, beyond the longest answer; without, a whole export and more.
GRACE_S = 60.0
IDLE_S = 3600.0
ENDING_S = 10.0


class Outpost:
    """Serves one line, on the descriptors `source` and `sink`."""

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._workers: dict[int, LocalProcess] = {}
        self._patience_s = 0.0

    def serve(self) -> None:
        """Work until the line is dead."""
        decoder = Decoder()
        heard = time.monotonic()
        try:
            while True:
                patience = self._patience_s + GRACE_S if self._workers else IDLE_S
                left = heard + patience - time.monotonic()
                if left <= 0:
                    return
                workers = {worker.fileno(): id for id, worker in self._workers.items()}
                for ready in select.select([self._source, *workers], [], [], left)[0]:
                    if ready != self._source:
                        self._hand_on(workers[ready])
                        continue
                    data = os.read(self._source, 1 << 18)
                    if not data:
                        return
                    heard = time.monotonic()
                    for header, payload in decoder.feed(data):
                        self._answer(header, payload)
        except (BrokenPipeError, ConnectionError):
            return
        finally:
            for worker in self._workers.values():
                worker.close()

    def _answer(self, header: dict[str, Any], payload: bytes) -> None:
        try:
            reply = getattr(self, f"do_{header['do']}")(header, payload)
        except Exception as error:  # whatever goes wrong becomes one line at the other end
            traceback.print_exc()
            known = error if isinstance(error, BenchError) else BenchError(f"{type(error).__name__}: {error}")
            reply = {"error": known.message, "hint": known.hint, "status": known.status}
        if reply is not None:
            self._send(reply)

    def _send(self, header: dict[str, Any], payload: bytes = b"") -> None:
        data = encode(header, payload)
        while data:
            data = data[os.write(self._sink, data) :]

    def _hand_on(self, id: int) -> None:
        """Pass on what a worker wrote, or how it ended."""
        worker = self._workers.get(id)
        if worker is None:
            return  # ended by a request that was answered a moment ago
        data = worker.read(ENDING_S)
        if data:
            self._send({"id": id}, data)
        else:
            self._bury(id, worker)

    def _bury(self, id: int, worker: LocalProcess) -> None:
        deadline = time.monotonic() + ENDING_S  # between closing its stdout and its end a runtime may clean up
        while worker.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        worker.kill()
        del self._workers[id]
        self._send({"id": id, "exit": worker.wait(), "log": worker.log(), "out_of_memory": worker.out_of_memory()})
        worker.close()

    def do_hello(self, header: dict[str, Any], _: bytes) -> dict[str, Any]:
        """Say which program this is, on which machine."""
        from bench.machine import environment

        cores = environment.usable_cores()
        machine = asdict(environment.local())
        return {"ok": {"version": __version__, "protocol": PROTOCOL, "environment": machine, "usable_cores": cores}}

    def do_start(self, header: dict[str, Any], _: bytes) -> dict[str, Any]:
        """Start a worker."""
        if header["module"] not in MODULES:
            raise UsageError(f"{header['module']} is no worker")
        self._patience_s = header["timeout_s"]
        self._workers[header["id"]] = LocalProcess(header["python"], header["module"], header["settings"])
        return {"ok": {}}

    def do_tell(self, header: dict[str, Any], payload: bytes) -> None:
        """Hand a request on; a worker that has closed its stdin is about to be buried."""
        worker = self._workers.get(header["id"])
        if worker is not None:
            try:
                worker.write(payload)
            except BrokenPipeError:
                return

    def do_end(self, header: dict[str, Any], _: bytes) -> None:
        """End a worker at once."""
        worker = self._workers.get(header["id"])
        if worker is not None:
            worker.kill()
            self._bury(header["id"], worker)

    def do_want(self, header: dict[str, Any], _: bytes) -> dict[str, Any]:
        """Say which folder an artifact has here, and how many bytes of each file are still to come."""
        return {"ok": store.want(header["digest"], header["files"])}

    def do_put(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Write a piece of a file."""
        store.put(header["digest"], header["name"], header["at"], payload)
        return {"ok": {}}

    def do_done(self, header: dict[str, Any], _: bytes) -> dict[str, Any]:
        """Check every file and make the artifact appear."""
        return {"ok": {"folder": store.done(header["digest"], header["files"])}}

    def do_doctor(self, header: dict[str, Any], _: bytes) -> dict[str, Any]:
        """Examine this machine."""
        return {"ok": LocalReach().doctor(header["threads"])}


def end_others(run: str) -> None:
    """End what an earlier connection of the same run left: its line may be dead without it knowing."""
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if process.pid == os.getpid() or words[-2:] != ["bench.transport.agent", run]:
                continue
            left = [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
        for one in left:
            try:
                one.kill()
            except psutil.Error:
                continue
        deadline = time.monotonic() + ENDING_S
        while any(map(_alive, left)) and time.monotonic() < deadline:
            time.sleep(0.005)


def _alive(process: psutil.Process) -> bool:
    """Tell whether it still runs; what its parent has not asked after yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def main() -> int:
    """Serve stdin and stdout; the argument names the run that this line belongs to."""
    (run,) = sys.argv[1:]
    if not re.fullmatch(r"[0-9a-f]{8,64}", run):
        return 2
    sink = os.dup(1)
    os.dup2(2, 1)  # the line carries frames and nothing else
    for asked in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(asked, _leave)
    end_others(run)
    Outpost(0, sink).serve()
    return 0


def _leave(*_: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
