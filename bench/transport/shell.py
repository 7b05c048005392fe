"""A device behind a program that runs commands there and hands bytes to and fro: what ssh and adb share."""

from __future__ import annotations

import shlex
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import IO

from bench.base.errors import Unreachable, clip
from bench.base.wire import MARK, Marked
from bench.base.words import last_line
from bench.plan.target import Target
from bench.transport.connection import Connection
from bench.transport.remote import Remote


class Shell(ABC):
    """Commands on one device. What they print comes as it is; a login shell's greeting is left out."""

    def __init__(self, target: Target) -> None:
        self.target = target

    @abstractmethod
    def command(self, there: Sequence[str]) -> list[str]:
        """Return the command line, here, that runs these words there, each as it is."""

    @abstractmethod
    def unreached(self, code: int | None, said: str) -> bool:
        """Tell whether the way there failed, and not what was to run."""

    @abstractmethod
    def why(self, said: str) -> Unreachable:
        """Say in one line why there is no way, from what the program said on stderr."""

    def close(self) -> None:  # noqa: B027 (most keep nothing open)
        """Forget what is kept open."""

    def run(
        self, script: str, *arguments: str, data: bytes | IO[bytes] | None = None, timeout_s: float
    ) -> tuple[int, str, str]:
        """Run a shell script there and return its exit code, stdout and stderr; `data`, or a file, is its stdin.

        Raises:
            Unreachable: there is no way, it took longer than `timeout_s`, or no shell answers there.
        """
        command = self.command(["sh", "-c", f"printf %s {shlex.quote(MARK.decode())}; {script}", "sh", *arguments])
        given, source = (data or b"", None) if data is None or isinstance(data, bytes) else (None, data)
        try:
            done = subprocess.run(
                command, input=given, stdin=source, capture_output=True, timeout=timeout_s, start_new_session=True
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"{self.target.name} took longer than {timeout_s:g} s", "is it very busy?") from error
        said = done.stderr.decode(errors="replace")
        if self.unreached(done.returncode, said):
            raise self.why(said)
        if MARK not in done.stdout:
            heard = clip(last_line(done.stdout.decode(errors="replace") + said), 120)
            raise Unreachable(f"what answers on {self.target.name} is no shell: {heard}", "log in by hand and look")
        return done.returncode, Marked().feed(done.stdout).decode(errors="replace"), said


class ShellTransport(Remote):
    """A device behind a shell. A subclass knows which."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.name)
        self.target = target
        self._shell: Shell | None = None

    def open(self) -> Shell:
        """Return the shell, not connected yet."""
        raise NotImplementedError

    def dial(self) -> Connection:
        """Start an agent there, over a connection of its own: an old one may be dead without knowing it."""
        if self._shell is not None:
            self._shell.close()
        self._shell = self.open()
        return Connection(self._shell.command(agent(self.target, self.run)), self.name)

    def diagnose(self, code: int | None, said: str) -> Unreachable:
        """Tell failures of the way from those of what it was to run."""
        if self._shell is not None and self._shell.unreached(code, said):
            return self._shell.why(said)
        if "No module named" in said and "bench" in said:
            return Unreachable(f"there is no isoflops on {self.name}", self.remedy)
        if code == 127 or "not found" in said or "No such file" in said:
            return Unreachable(f"there is no isoflops on {self.name}: {clip(last_line(said), 120)}", self.remedy)
        return Unreachable(
            f"what answers on {self.name} is no agent of ours: {clip(last_line(said), 120)}", self.remedy
        )

    def hang_up(self) -> None:
        """Close the agent's connection and the shell's."""
        super().hang_up()
        if self._shell is not None:
            self._shell.close()
            self._shell = None


FOLDERS = {"ssh": "~/.local/share/isoflops", "adb": "/data/local/tmp/isoflops"}
# Android has no /tmp, and the home of its shell's user cannot be written.
ANDROID_TMP = "/data/local/tmp"


def folder(target: Target) -> str:
    """Return the folder there in which `bench targets setup` installs."""
    return target.folder or FOLDERS[target.reach]


def interpreter(target: Target) -> str:
    """Return the interpreter that has `bench` on the target: its own, or the one that `bench targets setup` makes."""
    return target.python or f"{folder(target)}/venv/bin/python"


def agent(target: Target, run: str) -> list[str]:
    """Return the command that starts an agent on the target."""
    # The shell there finds the home folder, then becomes the interpreter: no process stands between it and the way.
    script = 'case $1 in "~/"*) python=$HOME/${1#"~/"};; *) python=$1;; esac; shift; exec "$python" "$@"'
    words = ["sh", "-c", script, "sh", interpreter(target), "-P", "-m", "bench.transport.agent", run]
    where = folder(target) if target.folder or target.reach == "adb" else ""
    given = [f"ISOFLOPS_CACHE={where}/cache"] if where else []
    given += [f"HOME={where}", f"TMPDIR={ANDROID_TMP}"] if target.reach == "adb" else []
    return ["env", *given, *words] if given else words
