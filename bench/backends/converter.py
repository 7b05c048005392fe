"""What converts a network, a program or a library: what it says stays out of ours, and why it failed is one line."""

from __future__ import annotations

import signal
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.base import words
from bench.base.errors import DEBUG, Unsupported, clip, first_line

REMEDY = "`bench cache clear` removes what was converted"


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


@contextmanager
def library(name: str) -> Iterator[None]:
    """Let a library convert, without its warnings.

    Raises:
        Unsupported: it raised anything: of torch.export, of the converter itself, of an operator without a kernel.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:
            raise Unsupported(
                f"{name} cannot convert it: {type(error).__name__}: {first_line(error)}", DEBUG
            ) from error


def last_line(said: str) -> str:
    """Return the last line of a program that says anything."""
    return clip(words.last_line(said, "it said nothing"), 200)
