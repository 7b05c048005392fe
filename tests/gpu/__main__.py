"""Prove the GPU path on this machine: ``make gpu``, or ``python -m tests.gpu``.

Needs Linux, an NVIDIA driver, and a Python with a torch that has CUDA; no root, no package registry. Packages that are
missing come from a folder of wheels (``--wheels``, or WHEELS in the environment). Writes one folder: rows, raw samples,
a log and ``summary.md``. What is done is not done again, so the next call goes on where this one stopped.

Leaves with 0 when everything is done, 1 when a step failed, 2 when something is missing, 3 when the time was over.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.gpu.setting import Missing, Setting, require_device, require_packages
from tests.gpu.steps import REPOSITORY, Step, steps, table

MINUTES = 7.75
SPARE_S = 10.0  # for the summary
IN_HAND_S = 25.0
PATIENCE = 3.0  # how many times as long as thought a step may take


class Program:
    """The plan in a folder: what was done there, and what is left."""

    def __init__(self, output: Path, minutes: float, only: Sequence[str] = ()) -> None:
        self.setting = Setting(output.absolute())
        self.minutes = minutes
        self.plan = [step for step in steps() if not only or step.name in only]
        self._begin = time.monotonic()
        self._file = self.setting.output / "steps.json"

    @property
    def done(self) -> dict[str, dict[str, Any]]:
        """How each step ended that was begun, by name."""
        return dict(json.loads(self._file.read_text("utf-8"))) if self._file.exists() else {}

    def finished(self) -> list[str]:
        """Return the steps that need not be run again."""
        return [name for name, told in self.done.items() if told["state"] == "done"]

    def left_s(self) -> float:
        """Return the seconds that are left of this call."""
        return self.minutes * 60 - SPARE_S - (time.monotonic() - self._begin)

    def run(self) -> int:
        """Run what is left and fits; return the exit code."""
        self.setting.output.mkdir(parents=True, exist_ok=True)
        self.setting.work.mkdir(exist_ok=True)
        self.setting.stage()
        for step in self.plan:
            if step.name in self.finished():
                continue
            if self.left_s() < (2 * IN_HAND_S if step.fills else step.seconds):
                self._note(step, "next time", 0.0, None)
                continue
            begin = time.monotonic()
            code = self._call(step)
            state = "done" if code in step.passes else "next time" if step.fills and code == 3 else "failed"
            self._note(step, state, time.monotonic() - begin, code)
        self._call(Step("summary", "", SPARE_S, ("-P", "-m", "tests.gpu.summary"), "summary.md"))
        states = {self.done[step.name]["state"] for step in self.plan}
        return 1 if "failed" in states else 3 if "next time" in states else 0

    def _note(self, step: Step, state: str, seconds: float, code: int | None) -> None:
        told = self.done | {step.name: {"state": state, "seconds": round(seconds, 1), "exit": code}}
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps(told, indent=1), "utf-8")
        draft.replace(self._file)
        print(f"{step.name:12} {seconds:>6.1f} s  {state}", flush=True)

    def _call(self, step: Step) -> int | None:
        """Run a step in the folder; return its exit code, None where its time was over."""
        left = max(self.left_s(), 0.0)
        # What it is in the middle of is to end within the time, too.
        more = (step.fills, f"{max(left - IN_HAND_S, 1.0):.0f}") if step.fills else ()
        limit = left if step.fills else min(PATIENCE * step.seconds, left + SPARE_S)
        process = subprocess.Popen(
            [sys.executable, *step.command, *more],
            cwd=self.setting.output,
            env=self.setting.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if step.prints else subprocess.STDOUT,
            start_new_session=True,
        )
        code: int | None = None
        try:
            out, said = process.communicate(timeout=limit)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, said = process.communicate()
        finally:
            if process.poll() is None:  # Ctrl-C
                os.killpg(process.pid, signal.SIGKILL)
        if step.prints and code == 0:
            (self.setting.output / step.writes).write_bytes(out)
        said = said if step.prints else out
        with (self.setting.output / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"== {step.name}: {' '.join(step.command)}\n{_nameless(said.decode(errors='replace'))}\n")
        return code


def _nameless(text: str) -> str:
    """Take out of a log what names this machine and who works on it."""
    for name, told in ((str(REPOSITORY), "REPOSITORY"), (str(Path.home()), "HOME"), (socket.gethostname(), "HOST")):
        text = text.replace(name, told) if len(name) > 3 else text
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    usual = REPOSITORY / "results" / f"{datetime.now(UTC).date().isoformat()}-gpu"
    wheels = os.environ.get("WHEELS") or None
    parser.add_argument(
        "--output", type=Path, default=usual, help="folder to write, or to go on in (default: %(default)s)"
    )
    parser.add_argument("--wheels", type=Path, default=wheels, help="folder of wheels for packages that are missing")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="at most; default: %(default)s")
    parser.add_argument("--only", action="append", default=[], metavar="STEP", help="repeatable")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and how long it takes")
    asked = parser.parse_args(arguments)
    unknown = set(asked.only) - {step.name for step in steps()}
    if unknown:
        parser.error(f"there is no step {', '.join(sorted(unknown))}: {', '.join(step.name for step in steps())}")
    program = Program(asked.output, asked.minutes, asked.only)
    if asked.dry_run:
        print(table(program.plan, program.finished(), asked.minutes))
        return 0
    try:
        torch = require_device()
        wanted = require_packages(program.setting, asked.wheels)
    except Missing as error:
        print(f"make gpu: {error}", file=sys.stderr)
        return 2
    print(f"torch {torch}; folder {asked.output}")
    if wanted:
        print(f"without {' '.join(wanted)}: rows will lack clocks, throttling and energy")
    return program.run()


if __name__ == "__main__":
    sys.exit(main())
