"""Nothing that a runtime or its converter does may leave the machine, or be stored to leave it later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import backends
from bench.backends.sample import sample
from bench.base.process import SENDS
from tests.backends.test_deployment import CONVERTERS

# Runs in a process of its own: imports, converts, loads and infers, and writes down whoever wants to talk.
PROGRAM = """
import json, os, sys
seen = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
        seen.append(f"{event} {arguments!r}"[:200])
sys.addaudithook(hook)
from bench import backends
from bench.artifact.artifact import load
from bench.backends import prepare
from bench.plan.case import Settings
name, folder = sys.argv[1:]
backend, ref = backends.get(name), backends.resolve(name)
backend.import_runtime()
artifact = load(__import__("pathlib").Path(folder))
session = backend.load(prepare.ensure(artifact, ref), Settings(), ref.options)
session.infer()
session.effective()
session.close()
targets = []
for fd in os.listdir("/proc/self/fd"):
    try:
        targets.append(os.readlink(f"/proc/self/fd/{fd}"))
    except OSError:
        pass
loaded = [m for m, found in sys.modules.items() if found is not None and "telemetry" in m.partition(".")[0]]
print(json.dumps({"seen": seen, "sockets": [t for t in targets if t.startswith("socket:")], "loaded": loaded}))
"""


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "ncnn", "mnn"])
def test_a_runtime_talks_to_nobody(name: str, tmp_path: Path) -> None:
    if not backends.installed(backends.get(name)):
        pytest.skip(f"{name} is not installed")
    if name in CONVERTERS and find_spec(CONVERTERS[name]) is None:
        pytest.skip(f"{CONVERTERS[name]}, which converts for {name}, is not installed")
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, name, sample().folder],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("{")]  # MNN prints, also at its end
    found = json.loads(told)
    assert found == {"seen": [], "sockets": [], "loaded": []}
    kept = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and "isoflops" not in str(path)]
    assert kept == []  # no device id, no store of events


def test_a_package_that_sends_is_as_if_it_were_not_installed() -> None:
    code = f"from bench.base.process import no_telemetry; no_telemetry(); import {SENDS[0]}"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert "ModuleNotFoundError" in done.stderr
