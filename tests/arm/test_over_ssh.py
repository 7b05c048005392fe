"""An aarch64 device behind ssh: `targets/arm64.toml` with two overrides, into the emulated userland."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import backends
from bench.backends.base import PARITY_TOLERANCE
from bench.rows import file as records
from tests.arm import userland
from tests.arm.test_emulated import NETWORK, by_backend
from tests.backends.test_deployment import CONVERTERS
from tests.transport import sshd
from tests.transport.test_ssh import nothing_left

pytestmark = pytest.mark.arm


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An sshd of this machine that runs whatever is asked in the userland."""
    lacking = userland.missing() or sshd.missing()
    assert not lacking, lacking
    root = userland.build().folder
    work, folder = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("sshd")
    userland.stage(work)
    enter = folder / "enter"
    inside = f"{userland.ENTER} {root}/root {root}/machine {work}"
    enter.write_text(f'#!/bin/sh\nexec {inside} sh -c "$SSH_ORIGINAL_COMMAND"\n')
    enter.chmod(0o755)
    server = sshd.start(folder, command=str(enter))
    known = folder / "ssh_config"
    known.write_text(f"Host arm64.local\n  HostName {server.address}\n  Port {server.port}\n" + known.read_text())
    yield f"arm64:config={known},python=python3"
    server.stop()


def here(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=folder, capture_output=True, text=True, env=dict(os.environ)
    )


def test_it_is_checked(spec: str, tmp_path: Path) -> None:
    done = here(tmp_path, "targets", "check", spec, "--format", "json")
    assert done.stdout, done.stderr
    found = {line["check"]: line for line in json.loads(done.stdout)}
    assert "aarch64" in found["CPU"]["found"]
    assert found["backend"] == {"check": "backend", "state": "ok", "found": "onnxruntime", "hint": ""}
    assert found["virtualisation"]["found"] == "this CPU is emulated"
    assert done.returncode == 1


def test_a_row_from_there(spec: str, tiny: Path, tmp_path: Path) -> None:
    quick = ["--launches", "1", "--budget", "1", "--output", "r.csv"]
    runtimes = ["--backend", "onnxruntime", "--backend", "openvino"]
    done = here(tmp_path, "run", "--model", str(tiny), *runtimes, *quick, "--target", spec)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = by_backend(tmp_path / "r.csv")
    assert [row.backend for row in rows] == ["onnxruntime", "openvino"]
    for row in rows:
        assert (row.target, row.arch, row.status, row.emulated) == ("arm64", "aarch64", "noisy", True)
        assert row.cpu == "ARM Neoverse-N1"
        assert row.parity_rel_l2 is not None
        assert row.parity_rel_l2 < 1e-3
    assert records.read(tmp_path / "r.csv")
    assert nothing_left("bench.transport.agent")


@pytest.mark.parametrize("name", ["ncnn", "mnn", "litert"])
def test_a_network_that_is_converted_here_runs_there(name: str, spec: str, tmp_path: Path) -> None:
    """On the runtime's aarch64 wheel, whose converter is not there; LiteRT's has none for aarch64 at all."""
    if not backends.installed(backends.get(name)) or find_spec(CONVERTERS[name]) is None:
        pytest.skip(f"{name} and its converter are not installed here")
    quick = ["--launches", "1", "--budget", "1", "--timeout", "600", "--output", "r.csv"]
    done = here(tmp_path, "run", "--model", NETWORK, "--backend", name, *quick, "--target", spec)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = records.read(tmp_path / "r.csv")
    assert (row.arch, row.status, row.emulated) == ("aarch64", "noisy", True), row.error
    assert row.parity_rel_l2 is not None
    assert row.parity_rel_l2 < PARITY_TOLERANCE["fp32"]
    assert (row.precision_effective, row.backend_version != "") == ("fp32", True)
