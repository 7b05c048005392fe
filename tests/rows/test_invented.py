"""A setting that nobody has written a line for is kept apart by every command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIELD = "    invented: int = 0\n"
COLUMN = '    invented: int | None = column(CASE, "", "made up")\n'


def insert(path: Path, before: str, text: str, after: str = "") -> None:
    """Put one line before the first `before` that stands behind `after`."""
    source = path.read_text("utf-8")
    at = source.index(before, source.index(after))
    path.write_text(source[:at] + text + source[at:], "utf-8")


def test_an_invented_setting_splits_cases_everywhere(tmp_path: Path, tiny: Path) -> None:
    """One field of `Settings` and one column of `Row`, in a copy of the program: no other line is changed."""
    pytest.importorskip("ruptures")
    copy = tmp_path / "bench"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "bench", copy, ignore=ignore)
    for name in ("models", "targets"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    insert(copy / "plan" / "case.py", "    def __post_init__", FIELD, "class Settings")
    insert(copy / "rows" / "schema.py", "    target: ", COLUMN, "class Row")
    done = subprocess.run(
        [sys.executable, "-m", "tests.rows.invented", str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
