"""A converter that is a program: what it prints stays out of ours, and why it failed is one line."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.base.errors import Unsupported, clip

DEBUG = "run again with --debug for the whole story"


def run(name: str, command: Sequence[str], folder: Path) -> str:
    """Run a converter in `folder`; return what it printed on either stream.

    It is ended with this process: whoever converts does so in a child whose whole group is (`bench.base.child`).

    Raises:
        Unsupported: it cannot be started, or says by its exit code that it failed, or dies.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    except OSError as error:
        raise Unsupported(f"{name} cannot be started: {error.strerror}", "install it anew") from error
    said = done.stdout.decode(errors="replace")
    print(said)  # into the log of the process that converts: --debug shows it
    if done.returncode:
        code = done.returncode
        how = f"died of {signal.Signals(-code).name}" if code < 0 else "failed"
        raise Unsupported(f"{name} {how}: {last_line(said)}", DEBUG)
    return said


def last_line(said: str) -> str:
    """Return the last line of a program that says anything."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return clip(lines[-1], 200) if lines else "it said nothing"
