"""`bench targets`, and `--target` where it is given, as a person meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __version__
from bench.rows import file as records
from tests.conftest import Bench, one_line_error
from tests.transport import sshd
from tests.transport.sshd import Sshd

FAST = ("--launches", "2", "--budget", "0.5")


def test_the_list_is_that_of_bench_list(bench: Bench) -> None:
    listed = bench("targets", "list", "--format", "json")
    assert json.loads(listed.stdout) == json.loads(bench("list", "targets", "--format", "json").stdout)
    names = {row["target"] for row in json.loads(listed.stdout)}
    assert names == {
        "android-adb",
        "android-termux",
        "arm64",
        "cuda",
        "fleet",
        "jetson-orin",
        "local",
        "raspberry-pi-5",
        "x86_64",
    }


def test_check_names_the_cpu_and_what_the_doctor_says(bench: Bench, server: Sshd) -> None:
    target = server.target("checked", backends=["fake", "onnxruntime"])
    result = bench("targets", "check", target, "--format", "json")
    found = {line["check"]: line for line in json.loads(result.stdout)}
    assert found["reach"]["found"] == "ssh 127.0.0.1"
    assert "x86_64" in found["CPU"]["found"] or "aarch64" in found["CPU"]["found"]
    assert {"virtualisation", "load", "steal", "governor"} <= set(found)
    backends = {line["found"] for line in json.loads(result.stdout) if line["check"] == "backend"}
    assert backends == {"fake", "onnxruntime"}
    assert result.returncode == (1 if any(line["state"] == "bad" for line in found.values()) else 0)


@pytest.mark.parametrize("target", ["arm64:host=nowhere.invalid", "android-adb:adb=/nowhere/adb"])
def test_a_run_that_reaches_nothing_leaves_no_empty_file(bench: Bench, tiny: Path, tmp_path: Path, target: str) -> None:
    for words in (("run", "--model", tiny), ("ab", tiny, f"{tiny}@fake:latency_ms=2")):
        one_line_error(bench(*words, "--backend", "fake", "--target", target, "--output", "out/r.csv"))
        assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check", "nowhere"), "there is no target named 'nowhere'"),
        (("check", "arm64:host=nowhere.invalid"), "there is no host nowhere.invalid"),
        (("check", "arm64:hots=x"), "named 'hots'"),
        (("check", "arm64:port=x"), "port=x is no number"),
        (("check", "fleet"), "fleet is a fleet, not a device"),
        (("check", "fleet:scheduler="), "scheduler"),
        (("setup", "local"), "local is reached by local"),
        (("setup", "arm64:python=/opt/python"), "names its own python"),
    ],
)
def test_a_mistake_is_one_line(bench: Bench, arguments: tuple[str, ...], says: str) -> None:
    if "there is no host" in says and sshd.missing():
        pytest.skip(sshd.missing())
    assert says in one_line_error(bench("targets", *arguments))


def test_a_row_over_ssh_is_a_row(bench: Bench, tiny: Path, tmp_path: Path, server: Sshd) -> None:
    target = server.target("there")
    for name in ("there", "local"):
        given = target if name == "there" else name
        result = bench("run", "--model", tiny, "--target", given, *FAST, "--output", f"{name}.csv")
        assert result.returncode == 0, result.stderr
    (there,), (here,) = (records.read(tmp_path / f"{name}.csv") for name in ("there", "local"))
    assert (there.target, here.target) == ("there", "local")
    same = ("model", "backend", "backend_version", "cpu", "cpu_id", "os", "macs_executed", "artifact_sha256", "arch")
    assert [getattr(there, name) for name in same] == [getattr(here, name) for name in same]
    assert there.parity_rel_l2 is not None
    assert there.parity_rel_l2 < 1e-5
    again = bench("run", "--model", tiny, "--target", f"{target}:port=1", *FAST)
    assert "refuses the connection" in one_line_error(again)


def test_sides_are_compared_there(bench: Bench, tiny: Path, server: Sshd) -> None:
    sides = (f"{tiny}@fake:latency_ms=1", f"{tiny}@fake:latency_ms=2")
    result = bench("ab", *sides, "--target", server.target("there"), "--pairs", 5, "--format", "json")
    assert result.returncode == 1, result.stderr
    assert json.loads(result.stdout)[0]["verdict"] == "slower"


def test_setup_brings_this_version_and_may_be_repeated(
    bench: Bench,
    tmp_path: Path,
    own_server: Sshd,
) -> None:
    """Into an environment that sees the packages of this one, so that nothing is downloaded."""
    folder = tmp_path / "a device"
    target = own_server.target("device", python="", folder=str(folder))
    assert "there is no isoflops on device" in one_line_error(bench("targets", "check", target))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    site = next((folder / "venv/lib").glob("python3*/site-packages"))
    packages = [path for path in sys.path if any(Path(path).glob("*.dist-info"))]
    (site / "here.pth").write_text("".join(f"{path}\n" for path in packages))
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    first = bench("targets", "setup", target, "--wheels", wheels, "--python", sys.executable)
    assert first.returncode == 0, first.stderr
    assert f"found the virtual environment {folder}/venv" in first.stdout
    assert "uploaded 1 of 1 wheels" in first.stdout
    assert f"installed isoflops-{__version__}" in first.stdout
    assert (site / "bench/transport/agent.py").exists()
    assert (site / "bench/models/shufflenetv2.toml").exists()
    assert (site / "bench/targets/arm64.toml").exists()
    again = bench("targets", "setup", target, "--wheels", wheels)
    assert "uploaded 0 of 1 wheels" in again.stdout, again.stderr
    checked = bench("targets", "check", target, "--format", "json")
    assert {"check": "reach", "state": "ok", "found": "ssh 127.0.0.1", "hint": ""} in json.loads(checked.stdout)
    with (site / "bench/measure/worker.py").open("a") as stale:
        stale.write("# of yesterday\n")
    assert "but of another build" in one_line_error(bench("targets", "check", target))
    mended = bench("targets", "setup", target, "--wheels", wheels)
    assert "uploaded 0 of 1 wheels" in mended.stdout, mended.stderr
    assert "of yesterday" not in (site / "bench/measure/worker.py").read_text()
    (site / "bench/__init__.py").write_text('__version__ = "0.0.9"\n')
    older = one_line_error(bench("targets", "check", target))
    assert f"isoflops 0.0.9 is on device, and {__version__} here" in older
    assert "bench targets setup device" in older
