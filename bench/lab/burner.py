"""A neighbour that comes and goes: ``python -m bench.lab.burner`` burns one core for 3 s, rests for 3 s, and so on.

Which core, is drawn anew (and seeded) each time it comes, so that no tool is favoured by the core it happens to use.
"""

from __future__ import annotations

import argparse
import os
import random
import time


def burn(on_s: float, off_s: float, seed: int) -> None:
    """Never return."""
    cores = sorted(os.sched_getaffinity(0))
    chance = random.Random(seed)
    while True:
        os.sched_setaffinity(0, {chance.choice(cores)})
        end = time.monotonic() + on_s
        while time.monotonic() < end:
            sum(range(20_000))
        time.sleep(off_s)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--on", type=float, default=3.0)
    parser.add_argument("--off", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    burn(arguments.on, arguments.off, arguments.seed)
