"""The command line of an engine, and an engine that is a script: what a real one adds is told in docs/targets.md."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bench import backends
from bench.base.errors import Unreachable
from bench.measure.runner import Runner
from bench.plan import zoo
from bench.plan.case import cross
from bench.plan.protocol import Protocol
from bench.plan.target import Target
from bench.transport import transport_to
from bench.transport.container import CARRIED, command
from tests.transport.sshd import left_there

BOX = Target(
    "box", "container", engine="podman", image="isoflops:x", cores=(2, 3), memory="2g", options=("--gpus=all",)
)

# Plays an engine: finds the interpreter and what follows the image, keeps a note of its command line, and lets the
# read-only folder be found where the container would see it.
ENGINE = """#!{python}
import os, sys
words = sys.argv[1:]
with open(os.path.join({folder!r}, "engine.log"), "a") as log:
    log.write(" ".join(words) + "\\n")
if words[0] == "kill":
    sys.exit(0)
if "missing:x" in words:
    sys.exit("Error: missing:x: image not known")
volume = next(w for w in words if w.endswith(":ro"))
os.symlink(volume.split(":")[0], {carried!r})
os.execv({python!r}, [{python!r}, *words[words.index("isoflops:x") + 1:]])
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    carried = str(tmp_path / "carried")
    script = folder / "podman"
    script.write_text(ENGINE.format(python=sys.executable, folder=str(tmp_path), carried=carried))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr("bench.transport.container.CARRIED", carried)
    return tmp_path / "engine.log"


def test_the_command_line() -> None:
    words = command(BOX, "isoflops-1", "1", Path("/cache/carried"))
    assert words[:4] == ["podman", "run", "--rm", "--interactive"]
    joined = " ".join(words)
    assert "--network none" in joined
    assert "--pull never" in joined
    assert "--cpuset-cpus 2,3" in joined
    assert "--memory 2g --memory-swap 2g" in joined
    assert f"--volume /cache/carried:{CARRIED}:ro" in joined
    assert joined.endswith("--gpus=all --entrypoint python3 isoflops:x -P -m bench.transport.agent 1")
    plain = command(replace(BOX, cores=(), memory="", python="/venv/bin/python"), "n", "1", Path("/c"))
    assert not {"--cpuset-cpus", "--memory"} & set(plain)
    assert plain[plain.index("--entrypoint") + 1] == "/venv/bin/python"


def test_a_run_has_one_container_and_leaves_none(tiny: Path, engine: Path) -> None:
    plan = cross(
        [zoo.resolve(str(tiny))],
        [backends.resolve("fake"), backends.resolve("fake:latency_ms=2")],
        target="box",
        protocol=Protocol(launches=2, max_launches=2, rounds=1),
    )
    transport = transport_to(replace(BOX, cores=()))
    with closing(transport):
        rows = list(Runner(plan, transport=transport).run())
    assert {(row.status, row.target, row.launches) for row in rows} == {("ok", "box", 2)}
    started, killed = engine.read_text().splitlines()
    assert started.startswith("run ")
    name = started.split("--name ")[1].split(" ")[0]
    assert killed == f"kill {name}"
    assert not [line for line in left_there() if name.removeprefix("isoflops-") in line]


def test_what_is_in_the_way_is_told_in_one_line(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = transport_to(replace(BOX, image="missing:x"))
    with pytest.raises(Unreachable, match="box: there is no image missing:x here"):
        transport.environment()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unreachable, match="cannot start podman"):
        transport.environment()
