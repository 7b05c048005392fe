"""`bench` on aarch64: a network exported on x86-64 runs there without PyTorch, is right, and is never called fast."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.backends.base import PARITY_TOLERANCE
from bench.cli import COMMANDS
from bench.rows import file as records
from bench.rows.schema import Row
from tests.arm import userland
from tests.arm.userland import Userland

pytestmark = pytest.mark.arm

# 3.4 million MACs: the emulator is some 300 times slower than a core.
NETWORK = "shufflenetv2:width=0.5,resolution=64"
RUNTIMES = ("onnxruntime", "openvino")
# What stands on neither PyTorch nor the tree of the project, and meets the machine or its runtimes; tests that start
# dozens of processes would take an hour there.
BACKENDS = (
    "conformance", "converted", "deployment", "isa", "loop", "precisions", "prepare", "read_back", "runtimes",
    "telemetry",
)  # fmt: skip
SUITE = (
    *(f"tests/backends/test_{name}.py" for name in BACKENDS),
    *(f"tests/graph/test_{name}.py" for name in ("counts", "inference", "quantised")),
    *(f"tests/machine/test_{name}.py" for name in ("cores", "doctor", "environment")),
    "tests/plan/test_case.py", "tests/plan/test_target.py", "tests/rows/test_schema.py",
)  # fmt: skip
NEEDS_TORCH = "torch or real_network or threads_are_read_back"
SAYS_MORE = "converter_that_fails_is_one_line"  # the emulator has a word on a process that aborts
SUITE_S = 2400.0


@pytest.fixture(scope="module")
def arm() -> Userland:
    lacking = userland.missing()
    assert not lacking, lacking
    return userland.build()


@pytest.fixture(scope="module")
def work(arm: Userland, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that both sides see: the project as pip installs it, and a network with its reference."""
    folder = tmp_path_factory.mktemp("work")
    userland.stage(folder)
    here(folder, "export", NETWORK, "--output", "net.onnx")
    for name in ("x86", "emulated"):
        folder.joinpath(f"{name}.toml").write_text(f'name = "{name}"\n')
    return folder


def here(work: Path, *arguments: str) -> str:
    """Run the command on this machine."""
    done = subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=work, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def there(arm: Userland, work: Path, *command: str, timeout_s: float = 600) -> str:
    """Run a command in the userland."""
    done = arm.run(work, *command, timeout_s=timeout_s)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def measurement(name: str) -> list[str]:
    backends = [part for runtime in RUNTIMES for part in ("--backend", runtime)]
    quick = ["--launches", "1", "--budget", "1", "--output", f"{name}.csv", "--target", f"{name}.toml"]
    return ["run", "--model", "net.onnx", *backends, *quick]


def by_backend(path: Path) -> list[Row]:
    """Read the rows; they stand in the order in which their cases ended."""
    return sorted(records.read(path), key=lambda row: row.backend)


@pytest.fixture(scope="module")
def emulated(arm: Userland, work: Path) -> list[Row]:
    there(arm, work, "python3", "-m", "bench", *measurement("emulated"))
    return by_backend(work / "emulated.csv")


@pytest.fixture(scope="module")
def native(work: Path) -> list[Row]:
    here(work, *measurement("x86"))
    return by_backend(work / "x86.csv")


def test_a_carried_network_computes_the_same_on_both(emulated: list[Row], native: list[Row]) -> None:
    """Both against PyTorch's outputs on the machine that exported: they travel with the file."""
    assert [row.backend for row in emulated] == [row.backend for row in native] == list(RUNTIMES)
    for row in (*emulated, *native):
        assert row.parity_rel_l2 is not None
        assert row.parity_rel_l2 < PARITY_TOLERANCE["fp32"]
        assert row.parity_top1
        assert "torch" in (row.parity_reference or "")
        assert (row.precision_effective, row.threads_effective) == ("fp32", 1)
    (digest,) = {row.artifact_sha256 for row in (*emulated, *native)}
    assert digest
    (macs,) = {(row.macs, row.macs_executed) for row in (*emulated, *native)}
    assert macs[0] == macs[1]


def test_the_lean_install_measures(arm: Userland, work: Path, emulated: list[Row]) -> None:
    """What pip brings with the wheel alone is enough for a right row; what reads rows says what it needs."""
    lean = ("env", f"PYTHONPATH=/work:/{userland.LEAN}", "python3")
    heavy = ("torch", "scipy", "pandas", "openvino")
    said = there(arm, work, *lean, "-c", f"import importlib.util as u; print(*map(u.find_spec, {heavy}))")
    assert said.split() == ["None"] * len(heavy)
    quick = ["--launches", "1", "--budget", "1", "--output", "lean.csv", "--target", "emulated.toml"]
    there(arm, work, *lean, "-m", "bench", "run", "--model", "net.onnx", *quick)
    (row,) = records.read(work / "lean.csv")
    assert (row.backend, row.status, row.emulated, row.arch) == ("onnxruntime", "noisy", True, "aarch64")
    assert row.parity_rel_l2 is not None
    assert row.parity_rel_l2 < PARITY_TOLERANCE["fp32"]
    assert row.artifact_sha256 == emulated[0].artifact_sha256
    done = arm.run(work, *lean, "-m", "bench", "compare", "lean.csv", "lean.csv")
    assert (done.returncode, done.stdout, done.stderr.count("error:")) == (2, "", 1), done.stderr
    assert "isoflops[analysis]" in done.stderr


def test_an_emulated_row_says_so_and_is_never_ok(emulated: list[Row], native: list[Row]) -> None:
    assert {(row.status, row.emulated) for row in emulated} == {("noisy", True)}
    assert all("emulated" in (row.error or "") for row in emulated)
    assert {row.emulated for row in native} == {False}


def test_the_cpu_is_named(emulated: list[Row], native: list[Row]) -> None:
    for row in emulated:
        assert (row.arch, row.cpu, row.microarchitecture) == ("aarch64", "ARM Neoverse-N1", "neoverse_n1")
        assert row.cpu_id == "implementer=0x41 part=0xd0c"
        assert "Debian" in (row.os or "")
    assert {row.arch for row in native} == {"x86_64"}


def test_pytorch_is_not_there(arm: Userland, work: Path) -> None:
    said = there(arm, work, "python3", "-c", "import importlib.util as u; print(u.find_spec('torch'))")
    assert said.strip() == "None"


def test_doctor_knows_an_emulator(arm: Userland, work: Path) -> None:
    done = arm.run(work, "python3", "-m", "bench", "doctor", "--json")
    assert done.returncode == 1, done.stderr
    assert any("emulated" in row["hint"] and row["state"] == "bad" for row in json.loads(done.stdout))


def test_the_suite_passes_there(arm: Userland, work: Path) -> None:
    """The tests that need neither PyTorch nor the project's tree, on the runtimes' aarch64 builds."""
    command = ("python3", "-m", "pytest", "-p", "no:cacheprovider", "-k", f"not ({NEEDS_TORCH} or {SAYS_MORE})", *SUITE)
    said = there(arm, work, *command, timeout_s=SUITE_S)
    passed = re.search(r"(\d+) passed", said)  # a runtime may have the last word
    assert passed is not None, said[-2000:]
    assert int(passed[1]) > 100


def test_it_is_held_beside_x86_and_not_compared(work: Path, emulated: list[Row], native: list[Row]) -> None:
    if "compare" not in COMMANDS:
        pytest.skip("this version has no bench compare")
    said = json.loads(here(work, "compare", "x86.csv", "emulated.csv", "--across", "target", "--format", "json"))
    assert said["axis"] == "target"
    assert said["cases"] == []  # no ratio: an emulator's latency is nobody's
    for runtime in RUNTIMES:
        assert any(runtime in line and "noisy on emulated" in line for line in said["incomparable"])
