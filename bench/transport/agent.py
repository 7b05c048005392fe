"""The one process of ours on another machine: starts workers, relays bytes, ends all when the connection dies.

What is asked and answered: `bench.transport.messages`.

While a block runs it waits in `select`: it costs the measurement nothing. It ends, and every worker with it, when its
stdin does; when no request came for longer than any answer may take (the cable is out, and nobody here is told); and
when a new agent of the same run comes up beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import select
import signal
import sys
import time
import traceback
from importlib.resources import files
from typing import TextIO

import msgspec
import psutil

from bench import __version__
from bench.artifact import package
from bench.base import cache, system, wire
from bench.base.errors import UsageError, WorkerCrashed
from bench.machine import environment
from bench.plan.spec import LIBRARIES
from bench.transport import messages, wheel
from bench.transport.local import LocalProcess, LocalTransport

MODULES = ("bench.measure.worker",)
# How long nobody may ask anything: with workers, beyond the longest answer; without, a whole export and more.
GRACE_S = 60.0
IDLE_S = 3600.0
ENDING_S = 10.0
POLL_S = 0.25


class Agent:
    """Serves one connection, on the descriptors `source` and `sink`."""

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._workers: dict[int, LocalProcess] = {}
        self._patience_s = 0.0
        self._lock: TextIO | None = None  # what `Hold` holds
        self._awaited = False

    def serve(self) -> None:
        """Work until the connection is dead."""
        decoder = messages.Decoder(messages.REQUESTS)
        heard = time.monotonic()
        try:
            while True:
                if self._awaited and (answer := self._held()) is not None:
                    self._send(answer)
                    heard = time.monotonic()
                patience = self._patience_s + GRACE_S if self._workers else IDLE_S
                left = heard + patience - time.monotonic() if not self._awaited else POLL_S
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
        except WorkerCrashed as error:  # no request of ours: nothing after it can be trusted
            print(error.message, file=sys.stderr)
        finally:
            for worker in self._workers.values():
                worker.close()

    def _answer(self, request: messages.Requests, payload: bytes) -> None:
        try:
            answer = self._do(request, payload)
        except Exception as error:  # whatever goes wrong becomes one line at the other end
            traceback.print_exc()
            answer = messages.Answer(fault=wire.fault(error))
        if answer is not None:
            self._send(answer)

    def _send(self, header: messages.Message, payload: bytes = b"") -> None:
        data = messages.encode(header, payload)
        while data:
            data = data[os.write(self._sink, data) :]

    def _hand_on(self, id: int) -> None:
        """Pass on what a worker wrote, or how it ended."""
        worker = self._workers.get(id)
        if worker is None:
            return  # ended by a request that was answered a moment ago
        data = worker.read(ENDING_S)
        if data:
            self._send(messages.Wrote(id), data)
        else:
            self._bury(id, worker)

    def _bury(self, id: int, worker: LocalProcess) -> None:
        deadline = time.monotonic() + ENDING_S  # between closing its stdout and its end a runtime may clean up
        while worker.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        worker.kill()
        del self._workers[id]
        self._send(messages.Ended(id, worker.wait(), worker.log(), worker.out_of_memory()))
        worker.close()

    def _do(self, request: messages.Requests, payload: bytes) -> messages.Answer | None:
        """Do what is asked, and return the answer if one is due now."""
        match request:
            case messages.Hello():
                here = environment.local(), environment.usable_cores()
                return _ok(messages.Identity(wheel.program(), __version__, messages.PROTOCOL, *here))
            case messages.Start():
                if request.module not in MODULES:
                    raise UsageError(f"{request.module} is no worker")
                self._patience_s = request.timeout_s
                self._workers[request.id] = LocalProcess(request.python, request.module, request.settings)
                return _ok(None)
            case messages.Tell():
                worker = self._workers.get(request.id)
                if worker is not None:
                    with contextlib.suppress(BrokenPipeError):  # it is about to be buried
                        worker.write(payload)
                return None
            case messages.End():
                worker = self._workers.get(request.id)
                if worker is not None:
                    worker.kill()
                    self._bury(request.id, worker)
                return None
            case messages.Want():
                return _ok(package.want(payload, buildable))
            case messages.Put():
                package.put(request.digest, request.name, request.at, payload)
                return _ok(None)
            case messages.Done():
                return _ok(package.done(request.digest))
            case messages.Doctor():
                return _ok(LocalTransport().doctor(request.threads))
            case messages.Hold():
                self._lock = self._lock or (cache.folder() / f"device-{platform.node()}.lock").open("w")
                self._awaited = True
                return self._held()
            case messages.Release():
                if self._lock is not None:
                    self._lock.close()
                    self._lock = None
                return _ok(None)

    def _held(self) -> messages.Answer | None:
        """Return the answer to `Hold` if the device is ours now. The kernel lets go of it when this process ends.

        The cache may lie on a disk that devices share, so the lock has the machine's name in its own.
        """
        assert self._lock is not None
        try:
            system.lock(self._lock, wait=False)
        except BlockingIOError:
            return None
        self._awaited = False
        return _ok(None)


def _ok(value: object) -> messages.Answer:
    return messages.Answer(msgspec.Raw(msgspec.json.encode(value)))


def buildable(kind: str, source: str) -> bool:
    """Tell whether a network may be built here from what came: of this program's zoo and two libraries, no file."""
    if kind == "zoo":
        told = json.loads(source)
        module = str(told.get("source")) if isinstance(told, dict) else ""
        named = re.fullmatch(r"[a-z0-9_]+", module) is not None
        return named and files("bench.models").joinpath(f"{module}.py").is_file()
    return kind in LIBRARIES


def end_others(run: str) -> None:
    """End what an earlier connection of the same run left: it may be dead without it knowing."""
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
    """Serve stdin and stdout; the argument names the run that this connection belongs to."""
    (run,) = sys.argv[1:]
    if not re.fullmatch(r"[0-9a-f]{8,64}", run):
        return 2
    replies = wire.claim_stdout()  # the connection carries messages and nothing else
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _leave)
    end_others(run)
    Agent(0, replies.fileno()).serve()
    return 0


def _leave(*_: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
