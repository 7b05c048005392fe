"""A neighbour that comes and goes: burns one core for 3 s, rests for 3 s, and so on.

Which core, is drawn once from the seed, or anew each time it comes with ``--wander``.
"""

from __future__ import annotations

import argparse
import os
import random
import time


def burn(on_s: float, off_s: float, seed: int, wander: bool) -> None:
    """Never return."""
    cores = sorted(os.sched_getaffinity(0))
    chance = random.Random(seed)
    core = chance.choice(cores)
    while True:
        os.sched_setaffinity(0, {core})
        end = time.monotonic() + on_s
        while time.monotonic() < end:
            sum(range(20_000))
        time.sleep(off_s)
        core = chance.choice(cores) if wander else core


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--on", type=float, default=3.0)
    parser.add_argument("--off", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wander", action="store_true")
    arguments = parser.parse_args()
    burn(arguments.on, arguments.off, arguments.seed, arguments.wander)
