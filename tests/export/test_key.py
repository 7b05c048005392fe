"""What an artifact depends on."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import pytest

from bench.export.key import reachable


@pytest.fixture
def eager() -> Iterator[None]:
    """Threads take turns at every chance: where the collector calls back, as a test tool or a notebook makes it."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()

    def called(_: str, __: dict[str, int]) -> None:
        time.sleep(0)

    gc.callbacks.append(called)
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    yield
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)
    gc.callbacks.remove(called)


@pytest.mark.usefixtures("eager")
def test_threads_read_sources_side_by_side() -> None:
    """CPython 3.11 counts the depth of one tree for all threads, and ends in a SystemError where two build theirs."""
    cards = sorted(Path(str(files("bench.models"))).glob("[a-z]*net*.py")) * 4
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(reachable.__wrapped__, cards))
    assert all(card in code for card, code in zip(cards, found, strict=True))
