"""One device's connection, seen from the coordinator: what is written into it goes to its agent, what that says comes.

Two threads and a pair of sockets, which look like the process that leads to any other device
(`bench.transport.connection.Line`). It ends when it is closed, when it is told to, and when the device is lost.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable
from typing import IO, Any

from bench.base.errors import first_line
from bench.transport import dask_device
from bench.transport.dask import DaskClient

PIECE_BYTES = 4 << 20
LAST_WORDS_S = 2.0


class Bridge:
    """Leads to an agent on the device at this address, for a run; why it ended goes to `log`."""

    def __init__(self, client: DaskClient, device: str, run: str, log: IO[bytes]) -> None:
        self._client, self._device, self._run, self._log = client, device, run, log
        here, self._there = socket.socketpair()
        with here:
            self.stdin = os.fdopen(os.dup(here.fileno()), "wb", buffering=0)
            self.stdout = os.fdopen(os.dup(here.fileno()), "rb", buffering=0)
        self._ended = threading.Event()
        self._code = 0
        threading.Thread(target=self._lead, daemon=True).start()

    def wait(self, timeout: float | None = None) -> int:
        """Return 0 once it has hung up, 1 if the device was lost; subprocess.TimeoutExpired if it does neither."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("bridge", timeout or 0.0)
        return self._code

    def terminate(self) -> None:
        """Have the agent ended, from whatever thread."""
        with contextlib.suppress(OSError):
            self._there.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """Wait for it no longer: Dask may not have noticed yet that the device is gone."""
        self.terminate()
        self._ended.set()

    def _lead(self) -> None:
        hearing = threading.Thread(target=self._hear, daemon=True)
        try:
            self._ask(dask_device.begin)
            hearing.start()
            while data := self._there.recv(PIECE_BYTES):
                self._ask(dask_device.tell, data)
            if not self._code:
                self._ask(dask_device.hang_up)
                hearing.join(LAST_WORDS_S)
        except Exception as error:  # whatever Dask and a stranger's worker raise
            self._lose(error)
        finally:
            self.terminate()
            self._there.close()
            self._ended.set()

    def _hear(self) -> None:
        try:
            while True:
                data, ended = self._ask(dask_device.hear)
                self._there.sendall(data)
                if ended is not None:
                    self._say(ended)
                    return
        except Exception as error:
            self._lose(error)
        finally:
            self.terminate()

    def _ask(self, function: Callable[..., Awaitable[Any]], *arguments: object) -> Any:
        """Call a function of `dask_device` in the device's worker."""
        return self._client.run(function, self._run, *arguments, workers=[self._device])[self._device]

    def _lose(self, error: Exception) -> None:
        self._code = 1
        self._say(f"the device was lost: {first_line(error)}")

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # it is closed where nobody waits any more
            os.write(self._log.fileno(), f"{line}\n".encode())
