"""Feed mutated inputs for a time and count what becomes of them.

python -m tests.fuzz [--seed 1] [--seconds 60] [--kind graphs]... [--keep FOLDER]
python -m tests.fuzz --seed 1 --kind graphs --only 1234      one input again, with its traceback

Input number N of a kind follows from the seed, the kind and N alone. They are taken by a child process, so that one
which ends it, hangs, or takes all memory is told with its number, and the next one goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

HANG_S = 60.0
MEMORY = 4 << 30
SHARES = {"graphs": 3, "options": 4, "rows": 1, "answers": 12, "toml": 8, "specs": 12, "kept": 4}  # inputs of a turn


def made(seed: int, kind: str, number: int) -> bytes:
    """Return an input."""
    from tests.fuzz.kinds import KINDS

    return KINDS[kind].make(random.Random(f"{seed} {kind} {number}"))


def taken(kind: str, content: bytes) -> None:
    """Take an input in an empty folder, with a cache of its own; raise what it raises."""
    from tests.fuzz.kinds import KINDS

    with tempfile.TemporaryDirectory(prefix="fuzz-") as top:
        folder = Path(top, "f", "u", "zz")
        folder.mkdir(parents=True)
        os.environ["ISOFLOPS_CACHE"] = str(Path(top, "cache"))
        KINDS[kind].take(content, folder)


def child() -> None:
    """Take the inputs that stdin names, a line each, and answer with a line: what was found, and the memory so far."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        seed, kind, number = json.loads(line)
        found: dict[str, Any] = {}
        try:
            taken(kind, made(seed, kind, number))
        except BaseException as error:
            what = "memory" if isinstance(error, MemoryError) else "traceback"
            found = {"what": what, "where": where(error)}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answers.write(json.dumps(found | {"peak_kb": peak}) + "\n")


class Taker:
    """The child, started anew when an input has ended it."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz", "--child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def take(self, seed: int, kind: str, number: int) -> dict[str, Any]:
        """Have an input taken; return what was found, {} for nothing."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # dead already: nothing will be read
            self.child.stdin.write(json.dumps([seed, kind, number]).encode() + b"\n")
            self.child.stdin.flush()
        if not select.select([self.child.stdout], [], [], HANG_S)[0]:
            self.close()
            self._start()
            return {"what": "hang", "where": f"no answer within {HANG_S:g} s"}
        line = self.child.stdout.readline()
        if line:
            return dict(json.loads(line))
        code = self.child.wait()
        self.close()
        self._start()
        return {"what": "death", "where": f"the process ended with code {code}"}

    def close(self) -> None:
        """End the child."""
        self.child.kill()
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()


def where(error: BaseException) -> str:
    """Return the class of an error and the last line of ours that it went through: finds that share it are one."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/bench/" in frame.filename]
    last = f"{frames[-1].filename.rpartition('/bench/')[2]}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} in {last}"


def run(seed: int, seconds: float, kinds: list[str], keep: Path | None) -> int:
    """Feed inputs in turns of the kinds until the time is over; print figures and finds; return how many there are."""
    counts: Counter[str] = Counter()
    finds: dict[str, int] = {}
    numbers: Counter[str] = Counter()
    peak_kb, begin = 0, time.monotonic()
    taker, turn = Taker(), [kind for kind in kinds for _ in range(SHARES[kind])]
    while time.monotonic() - begin < seconds:
        for kind in turn:
            number = numbers[kind]
            numbers[kind] += 1
            found = taker.take(seed, kind, number)
            peak_kb = max(peak_kb, found.get("peak_kb", 0))
            if "what" in found:
                counts[found["what"]] += 1
                name = f"{kind}: {found['what']}: {found['where']}"
                finds.setdefault(name, number)
                if keep is not None and finds[name] == number:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{kind}-{seed}-{number}.bin").write_bytes(made(seed, kind, number))
    taker.close()
    spent, total = time.monotonic() - begin, sum(numbers.values())
    each = ", ".join(f"{kind} {n}" for kind, n in numbers.items())
    print(f"seed {seed}: {total} inputs in {spent:.0f} s, {60 * total / spent:.0f} a minute ({each})")
    print(
        f"tracebacks {counts['traceback']}, processes that died {counts['death']}, hangs over {HANG_S:g} s "
        f"{counts['hang']}, memory over {MEMORY >> 30} GB {counts['memory']}; most memory {peak_kb / 1e6:.2f} GB"
    )
    for name, number in sorted(finds.items()):
        print(f"  {name}  --only {number}")
    return len(finds)


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kind", action="append", choices=list(SHARES))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", type=int)
    parser.add_argument("--child", action="store_true")
    options = parser.parse_args()
    if options.child:
        child()
        return 0
    kinds = options.kind or list(SHARES)
    if options.only is not None:
        taken(kinds[0], made(options.seed, kinds[0], options.only))
        return 0
    return 1 if run(options.seed, options.seconds, kinds, options.keep) else 0


if __name__ == "__main__":
    sys.exit(main())
