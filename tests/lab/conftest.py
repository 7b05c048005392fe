from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Bench

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def lab(tmp_path: Path) -> Bench:
    """Run the lab as a process, in a folder of its own."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "benchmarks.lab", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(PROJECT)} | environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run
