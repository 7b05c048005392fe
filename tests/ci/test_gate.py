"""A pull request from end to end: two checkouts, the script of the gate, its comment and its exit code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bench.rows import file as records
from tests.ci.steps import GITHUB, run, steps
from tests.conftest import TINY_MACS, Bench

SCRIPT = GITHUB / "actions/gate/gate.sh"
FAST = "fake:latency_ms=0.001,ps_per_mac=10000"  # scripted: 10 ns for each multiply-accumulate


def convolutions(path: Path, number: int) -> None:
    """Write a network of `number` equal convolutions, of 9.4 million MACs each."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    shape = [1, 32, 32, 32]
    nodes, weights, last = [], [], "x"
    for i in range(number):
        weights.append(numpy_helper.from_array((rng.standard_normal((32, 32, 3, 3)) / 17).astype(np.float32), f"w{i}"))
        out = "y" if i == number - 1 else f"a{i}"
        nodes.append(helper.make_node("Conv", [last, f"w{i}"], [out], f"conv{i}", pads=[1, 1, 1, 1]))
        last = out
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "convolutions", values[:1], values[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture
def checkouts(tmp_path: Path) -> Path:
    """A folder with ``base`` and ``head``, as the action checks them out."""
    for side in ("base", "head"):
        tmp_path.joinpath(side).mkdir()
    return tmp_path


def gate(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the step of the action, with what a runner would give it."""
    (step,) = [s for s in steps(GITHUB / "actions/gate/action.yml") if s.raw.get("id") == "gate"]
    given = {"MODEL": "net.onnx", "BACKEND": FAST, "THREADS": "1", "MARGIN": "1", "BUDGET": "1", "INCONCLUSIVE": "pass"}
    assert set(step.env) == set(given)
    runner = {"GITHUB_ACTION_PATH": str(SCRIPT.parent), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    return run(step.script, folder, **given | runner | {"GITHUB_OUTPUT": str(folder / "output.txt")} | env)


def test_a_slowed_head_fails_the_job_and_the_comment_says_why(checkouts: Path) -> None:
    convolutions(checkouts / "base/net.onnx", 2)
    convolutions(checkouts / "head/net.onnx", 4)
    done = gate(checkouts)
    assert done.returncode == 1, done.stderr
    comment = checkouts.joinpath("gate/verdict.md").read_text()
    assert comment.startswith("### Latency, B against A\n")
    assert "**B is 🔴 slower**: +100.0%" in comment
    assert "base/net.onnx" in comment
    assert "head/net.onnx" in comment
    assert "confirmed it" in comment
    assert checkouts.joinpath("summary.md").read_text() == comment
    assert checkouts.joinpath("output.txt").read_text() == "exit-code=1\n"


def test_an_equal_head_passes(checkouts: Path) -> None:
    for side in ("base", "head"):
        convolutions(checkouts / side / "net.onnx", 2)
    done = gate(checkouts)
    assert done.returncode == 0, done.stderr
    assert "**B is equivalent**: +0.0%" in checkouts.joinpath("summary.md").read_text()


def test_a_faster_head_passes(checkouts: Path) -> None:
    convolutions(checkouts / "base/net.onnx", 4)
    convolutions(checkouts / "head/net.onnx", 2)
    assert gate(checkouts).returncode == 0
    assert "🟢 faster**: -50.0%" in checkouts.joinpath("summary.md").read_text()


@pytest.mark.parametrize(("policy", "code"), [("pass", 0), ("fail", 3)])
def test_an_open_question_is_the_owners_choice(checkouts: Path, policy: str, code: int) -> None:
    """The program is stood in for: scripted pairs that are inconclusive would be conclusive once in a while."""
    checkouts.joinpath("base/net.onnx").touch()
    answer = checkouts / "answer"
    answer.mkdir()
    answer.joinpath("bench").write_text("#!/bin/sh\necho '**B is inconclusive**'\nexit 3\n")
    answer.joinpath("bench").chmod(0o755)
    script = f'PATH="{answer}:$PATH" {SCRIPT}'
    done = run(script, checkouts, MODEL="net.onnx", INCONCLUSIVE=policy, GITHUB_OUTPUT=str(checkouts / "out"))
    assert done.returncode == code
    assert ("::warning" in done.stdout) == (policy == "pass")
    assert checkouts.joinpath("out").read_text() == "exit-code=3\n"


def test_a_new_model_has_nothing_to_be_compared_with(checkouts: Path) -> None:
    convolutions(checkouts / "head/net.onnx", 1)
    assert gate(checkouts).returncode == 0
    assert "The base has no such model" in checkouts.joinpath("summary.md").read_text()


def test_a_model_that_the_head_broke_fails_with_the_reason(checkouts: Path) -> None:
    convolutions(checkouts / "base/net.onnx", 1)
    checkouts.joinpath("head/net.onnx").write_bytes(b"no model")
    done = gate(checkouts)
    assert done.returncode in (1, 2)
    summary = checkouts.joinpath("summary.md").read_text()
    assert "**Nothing was measured.**" in summary
    assert "    error: " in summary
    assert "error: " in done.stderr


def test_this_projects_own_gate_exports_and_compares_both_sides(checkouts: Path) -> None:
    """Its steps as they are, after installing; both sides are this program."""
    wanted = ("export both", "gate")
    found = [s for s in steps(GITHUB / "workflows/gate.yml") if s.raw.get("name") in wanted]
    assert [s.raw["name"] for s in found] == list(wanted)
    convolutions(checkouts / "net.onnx", 1)
    run("true", checkouts)  # makes the shim
    for side in ("base", "head"):
        shutil.copytree(checkouts / ".bin", checkouts / side / ".venv/bin")
    shutil.copytree(GITHUB, checkouts / "base/.github")
    for step in found:
        own = {k: v for k, v in step.env.items() if "${{" not in v}
        done = run(step.script, checkouts, **{"NETWORK": "net.onnx", "BACKEND": "fake", "BUDGET": "1"} | own)
        assert done.returncode == 0, done.stderr
    assert "**B is equivalent**" in checkouts.joinpath("gate/verdict.md").read_text()
    assert checkouts.joinpath("base/model.reference.npz").exists()


@pytest.mark.slow
def test_real_extra_work_is_found_on_a_real_runtime(checkouts: Path) -> None:
    """Twice the convolutions in ONNX Runtime; then the same network on both sides."""
    convolutions(checkouts / "base/net.onnx", 3)
    convolutions(checkouts / "head/net.onnx", 6)
    done = gate(checkouts, BACKEND="onnxruntime")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "🔴 slower" in checkouts.joinpath("summary.md").read_text()
    shutil.copy(checkouts / "base/net.onnx", checkouts / "head/net.onnx")
    # What is equal may stay open on a busy machine, and is never called slower.
    done = gate(checkouts, BACKEND="onnxruntime", BUDGET="30")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_scripted_network_is_as_fast_as_its_macs(tiny: Path, bench: Bench) -> None:
    """What the gate's tests stand on: the scripted backend's latency for each multiply-accumulate."""
    bench("run", "--model", tiny, "--backend", "fake:latency_ms=1,ps_per_mac=1000", "--output", "r.csv")
    (row,) = records.read(tiny.with_name("r.csv"))
    assert row.latency_ms == pytest.approx(1 + TINY_MACS * 1e-6, rel=1e-4)
