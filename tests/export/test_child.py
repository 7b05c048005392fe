"""The export process, seen from outside: it keeps errors what they are, and ends with whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench import export
from bench.base.errors import UnknownName
from bench.plan import zoo
from bench.plan.case import Network

pytest.importorskip("torch", reason="PyTorch is not installed")

ENDLESS = """
import os, pathlib, time
print("greetings from a person's file")
def build():
    pathlib.Path({told!r}).write_text(str(os.getpid()))
    time.sleep(600)
"""
ENSURE = """
import sys
from bench import export
from bench.plan import zoo
from bench.plan.case import Network
export.ensure(Network(zoo.resolve(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux's")
def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    (tmp_path / "net.py").write_text(ENDLESS.format(told=str(told)))
    parent = subprocess.Popen(
        [sys.executable, "-c", ENSURE, f"{tmp_path}/net.py:build"],
        env=os.environ | {"ISOFLOPS_CACHE": str(tmp_path / "cache")},
    )
    end = time.monotonic() + 120
    while not told.exists() or not told.read_text():
        assert parent.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    child = psutil.Process(int(told.read_text()))
    assert parent.pid in [above.pid for above in child.parents()]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    gone, _ = psutil.wait_procs([child], timeout=20)
    assert gone


def test_its_errors_keep_their_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "net.py").write_text(ENDLESS.format(told=str(tmp_path / "pid")))
    network = Network(zoo.resolve(f"{tmp_path}/net.py:biuld"))
    with pytest.raises(UnknownName, match="'biuld'") as caught:
        export.ensure(network)
    assert "did you mean build?" in caught.value.hint
