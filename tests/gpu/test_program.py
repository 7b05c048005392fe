"""``make gpu`` on a machine without a GPU: what is missing, the plan, and what it does with its steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.gpu import __main__ as program
from tests.gpu import peers, setting, steps, summary, tables
from tests.gpu.__main__ import Program, main
from tests.gpu.scripted import NAME, Script, play
from tests.gpu.setting import NEEDED, Missing, Setting, require_packages
from tests.gpu.steps import REPOSITORY, TESTS, Step


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.gpu", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)


def test_the_plan_prints_with_its_time_and_needs_no_device(tmp_path: Path) -> None:
    done = run("--dry-run", "--output", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    for step in steps.steps():
        assert f"{step.name:12}" in done.stdout
    assert "one call takes at most 7.75" in done.stdout
    assert "same          350 s" in done.stdout
    assert not (tmp_path / "out").exists()


def test_what_must_run_fits_into_one_call() -> None:
    fixed = [step.seconds for step in steps.steps() if not step.fills]
    assert sum(fixed) <= program.MINUTES * 60 - program.SPARE_S
    assert program.MINUTES < 8


def test_without_a_device_one_line_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = run("--output", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("make gpu: no CUDA device")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
    play(Script(), monkeypatch)  # a driver, and a torch that is built without CUDA
    assert main(["--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "built without CUDA, cannot use Scripted GPU" in said or "cannot use Scripted GPU" in said
    assert said.count("\n") == 1


def test_a_step_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as found:
        main(["--only", "nothing", "--dry-run"])
    assert found.value.code == 2
    assert "there is no step nothing: facts, tests" in capsys.readouterr().err


def wheel(folder: Path, name: str) -> None:
    """Write a wheel of one module."""
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{module}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{module}.py", "there = True\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def test_packages_come_from_a_folder_of_wheels_and_are_named_where_they_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setting, "NEEDED", {"numpy": "numpy", "no_such_module": "no-such-module"})
    monkeypatch.setattr(setting, "WANTED", {"not_there_either": "not-there-either"})
    here = Setting(tmp_path / "out")
    with pytest.raises(Missing, match=r"packages are missing: no-such-module \(pip install them, or give WHEELS="):
        require_packages(here, None)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with pytest.raises(Missing, match="pip cannot install from the wheels"):
        require_packages(here, wheels)
    wheel(wheels, "no-such-module")
    assert require_packages(here, wheels) == ["not-there-either"]
    code = "import no_such_module, numpy; print(no_such_module.there)"
    done = subprocess.run([sys.executable, "-c", code], env=here.environment(), capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr
    assert here.work == tmp_path / "out.work"


def test_the_program_is_staged_from_the_working_tree(tmp_path: Path) -> None:
    """An interpreter that never had it installed finds backends, models and targets."""
    here = Setting(tmp_path / "out")
    here.stage()
    here.stage()  # again: it goes on where another call stopped
    code = (
        "import bench.models, bench.targets; from bench import backends; from bench.plan import zoo;"
        "print(bench.__file__, len(zoo.cards()), *backends.names())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, env=here.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    where, families, *names = done.stdout.split()
    assert where.startswith(str(here.work))
    assert int(families) > 20
    assert {"fake", "onnxruntime", "openvino", "torch"} <= set(names)


def scripted(monkeypatch: pytest.MonkeyPatch, *plan: Step) -> None:
    monkeypatch.setattr(program, "steps", lambda: list(plan))


def says(name: str, code: str, **more: object) -> Step:
    return Step(name, "", 1.0, ("-c", code), f"{name}.txt", **more)


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; open('ran', 'a').write(sys.argv[1]); sys.exit(int(sys.argv[2]))"
    once = Step("once", "", 1.0, ("-c", code, "a", "0"), "")
    fails = Step("fails", "", 1.0, ("-c", code, "b", "1"), "")
    rows = Step("rows", "", 1.0, ("-c", code, "c", "1"), "", passes=(0, 1))
    scripted(monkeypatch, once, fails, rows)
    first = Program(tmp_path / "out", 5.0)
    assert first.run() == 1
    assert first.finished() == ["once", "rows"]
    assert Program(tmp_path / "out", 5.0).run() == 1
    assert (tmp_path / "out" / "ran").read_text() == "abcb"
    told = json.loads((tmp_path / "out" / "steps.json").read_text())
    assert (told["fails"]["state"], told["fails"]["exit"]) == ("failed", 1)
    assert "## Steps" in (tmp_path / "out" / "summary.md").read_text()


def test_a_step_that_fills_gets_the_time_that_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; print(*sys.argv[1:]); sys.exit(3)"
    scripted(
        monkeypatch, says("fills", code, fills="--seconds"), says("long", code), says("prints", "print(7)", prints=True)
    )
    monkeypatch.setattr(Program, "left_s", lambda self: 90.0)
    assert Program(tmp_path / "out", 5.0, ["fills", "prints"]).run() == 3
    log = (tmp_path / "out" / "log.txt").read_text()
    assert "--seconds 65" in log
    assert (tmp_path / "out" / "prints.txt").read_text() == "7\n"
    monkeypatch.setattr(Program, "left_s", lambda self: 0.5)
    assert Program(tmp_path / "out", 5.0).run() == 3
    told = json.loads((tmp_path / "out" / "steps.json").read_text())
    assert {name: one["state"] for name, one in told.items()} == {
        "fills": "next time", "prints": "done", "long": "next time",
    }  # fmt: skip


def test_a_step_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PATIENCE", 0.5)
    scripted(monkeypatch, says("hangs", "import time; print('here', flush=True); time.sleep(600)"), says("next", "0"))
    found = Program(tmp_path / "out", 5.0)
    assert found.run() == 1
    assert found.done["hangs"] | {"seconds": 0} == {"state": "failed", "seconds": 0, "exit": None}
    assert found.finished() == ["next"]


def test_the_log_names_no_host_and_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.socket, "gethostname", lambda: "gpu-box-7")
    text = f"{REPOSITORY}/bench on gpu-box-7 in {Path.home()}/x"
    assert program._nameless(text).startswith("REPOSITORY/bench on HOST in ")
    assert "gpu-box-7" not in program._nameless(text)


def test_every_test_of_the_device_is_run() -> None:
    marked = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        if "pytest.mark.gpu" in path.read_text("utf-8") and path.name != "test_program.py"
    }
    assert marked == set(TESTS)


def test_every_package_of_the_program_is_asked_for() -> None:
    import tomllib

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    named = {requirement.partition(">")[0] for requirement in project["dependencies"]}
    assert named <= set(NEEDED.values())


@pytest.fixture(scope="module")
def _torch() -> None:
    pytest.importorskip("torch")


@pytest.mark.usefixtures("_torch")
def test_ratios_to_others_are_of_the_same_inferences(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a scripted device all events tell the same time, so the ratio to a loop over events is 1 exactly."""
    import torch

    threads = torch.get_num_threads()
    play(Script(device_ms=0.25), monkeypatch)
    session = peers.load("shufflenetv2:width=0.5,resolution=64")
    found = peers.compare(session, rounds=3, n=2)
    ratio, ours_ms, peer_ms = found[peers.EVENTS]
    assert (ratio.ratios, ours_ms, peer_ms) == ((1.0, 1.0, 1.0), 0.25, 0.25)
    ratio, ours_ms, peer_ms = found[peers.TIMER]
    assert ratio.n == 3
    assert 0.1 < ours_ms / peer_ms < 10
    session.close()
    torch.set_grad_enabled(True)
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_torch")
def test_a_family_in_each_precision_and_one_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from bench.backends.torch_switches import set_precision
    from tests.gpu import parity

    threads = torch.get_num_threads()
    play(Script(), monkeypatch)
    try:
        small = "shufflenetv2:width=0.5,resolution=64"
        rows = [parity.row(small, options) for options in ("", "precision=fp16")]
        broken = parity.row(small, "", "torch:device=cuda:5")
    finally:
        set_precision(False)
        torch.set_grad_enabled(True)
        torch.set_num_threads(threads)
    assert [row["precision"] for row in rows] == ["fp32", "fp16"]
    assert [row["status"] for row in rows] == ["ok"] * 2, rows
    assert float(str(rows[0]["rel_l2"])) < 1e-5
    assert (broken["status"], list(broken)) == ("failed", list(rows[0]))
    assert "no CUDA device 5" in str(broken["error"])


def test_the_summary_tells_what_is_in_the_folder(tmp_path: Path) -> None:
    line = {"model": "a", "options": "fp32", "rel_l2": "2e-06", "precision": "fp32", "status": "ok", "error": None}
    tables.append(tmp_path / "parity.csv", line)
    tables.append(tmp_path / "parity.csv", line | {"model": "b", "rel_l2": "3e-05", "status": "above", "error": "x|y"})
    tables.append(tmp_path / "parity.csv", line | {"model": "c", "rel_l2": "", "status": "failed", "error": "z"})
    ratio = {"model": "a", "against": "events", "ratio": "1.0012", "lo": "0.99", "hi": "1.01", "within": True}
    tables.append(tmp_path / "peers.csv", ratio)
    tables.append(tmp_path / "same.csv", {"time": 0, "verdict": "equivalent", "ratio": 1.001234, "pairs": 5})
    (tmp_path / "facts.json").write_text(json.dumps({"device": NAME}))
    (tmp_path / "roofline.json").write_text(
        json.dumps(
            [
                {"kind": "compute", "gflops_per_s": 51234.5, "precision": "fp32", "probe": "gemm"},
                {"kind": "bandwidth", "working_set_bytes": 3 << 27, "gb_per_s": 2345.6},
            ]
        )
    )
    (tmp_path / "tests.xml").write_text(
        '<testsuites><testsuite><testcase classname="t" name="good"/><testcase classname="t" name="bad"><failure/>'
        "</testcase></testsuite></testsuites>"
    )
    said = summary.summary(tmp_path)
    assert "- fp32: 1 of 3 families as asked, the worst 3e-05 (b)" in said
    assert "| b | fp32 | 3e-05 | fp32 | above | x/y |" in said
    assert "1 of 1 ratios are within 3% of 1." in said
    assert "1 times: 1 equivalent." in said
    assert f"- device: {NAME}" in said
    assert "51.2 TFLOP/s in fp32 (gemm); 2346 GB/s at 384 MiB." in said
    assert "1 passed, 1 failure." in said
    assert "- t.bad" in said
    assert summary.summary(tmp_path / "nothing") == "# The GPU path on a device\n"


def test_make_gpu_hands_its_words_on() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "gpu", "WHEELS=/some/wheels", "ARGS=--dry-run", "PYTHON=python3"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},  # `make test` sets some
    )
    assert done.stdout.strip() == "WHEELS='/some/wheels' python3 -m tests.gpu --dry-run"
