"""The package of docs/extending.md, taken from the page, built, installed beside this program and used."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Bench

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
LONGEST = 80


def files() -> dict[str, str]:
    """Return the files that the page gives: a name in a line of its own, then a block."""
    return dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))


def test_it_is_short() -> None:
    found = files()
    assert set(found) == {"pyproject.toml", "toy.py"}
    assert sum(len(text.splitlines()) for text in found.values()) < LONGEST


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    source, there = tmp_path_factory.mktemp("toy"), tmp_path_factory.mktemp("site")
    for name, text in files().items():
        (source / name).write_text(text, "utf-8")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", str(there), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return os.pathsep.join([str(there), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_it_is_listed_and_measured(installed: str, bench: Bench, tiny: Path) -> None:
    listed = json.loads(bench("list", "backends", "--format", "json", PYTHONPATH=installed).stdout)
    (toy,) = [row for row in listed if row["backend"] == "toy"]
    assert toy["installed"] == "yes"
    arguments = ("run", "--backend", "toy", "--model", tiny, "--launches", "2", "--budget", "5", "--format", "json")
    ran = bench(*arguments, PYTHONPATH=installed)
    (row,) = json.loads(ran.stdout)
    assert row["status"] in ("ok", "noisy"), row["error"]
    assert row["parity_rel_l2"] < 1e-4
    assert row["latency_ms"] > 0
    assert (row["device"], row["precision_effective"], row["macs_executed"]) == ("cpu", "fp32", None)


def test_it_conforms(installed: str) -> None:
    command = [sys.executable, "-m", "bench.backends.testing", "toy", "toy:strict=true"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": installed}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok     prepare: toy.onnx") == 2
    assert "FAILED" not in done.stdout
