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
    given["NEW_MODEL"] = "fail"
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
    for side in ("base", "head"):
        checkouts.joinpath(side, "net.onnx").touch()
    answer = checkouts / "answer"
    answer.mkdir()
    answer.joinpath("bench").write_text("#!/bin/sh\necho '**B is inconclusive**'\nexit 3\n")
    answer.joinpath("bench").chmod(0o755)
    script = f'PATH="{answer}:$PATH" {SCRIPT}'
    done = run(script, checkouts, MODEL="net.onnx", INCONCLUSIVE=policy, GITHUB_OUTPUT=str(checkouts / "out"))
    assert done.returncode == code
    assert ("::warning" in done.stdout) == (policy == "pass")
    assert checkouts.joinpath("out").read_text() == "exit-code=3\n"


@pytest.mark.parametrize(
    ("sides", "says"),
    [
        ((), "neither the base nor the head has such a model (its name may be misspelt)"),
        (("head",), "the base has no such model, so there is nothing to compare with"),
        (("base",), "the head has no such model any more"),
    ],
)
@pytest.mark.parametrize("inconclusive", ["pass", "fail"])
def test_without_a_judgement_the_check_is_red_and_says_why(
    checkouts: Path, sides: tuple[str, ...], says: str, inconclusive: str
) -> None:
    for side in sides:
        convolutions(checkouts / side / "net.onnx", 1)
    done = gate(checkouts, INCONCLUSIVE=inconclusive)
    assert done.returncode == 3
    assert f"**No judgement**: {says}.\n" in checkouts.joinpath("summary.md").read_text()
    assert f"::error title=gate::no judgement: {says}" in done.stdout
    assert checkouts.joinpath("output.txt").read_text() == "exit-code=3\n"


def test_a_new_model_passes_where_its_owner_said_so(checkouts: Path) -> None:
    convolutions(checkouts / "head/net.onnx", 1)
    done = gate(checkouts, NEW_MODEL="pass")
    assert done.returncode == 0
    assert "::warning" in done.stdout
    assert checkouts.joinpath("output.txt").read_text() == "exit-code=3\n"
    assert gate(checkouts, NEW_MODEL="pass", MODEL="ent.onnx").returncode == 3  # a wrong name is no new model


def test_a_model_that_the_head_broke_fails_with_the_reason(checkouts: Path) -> None:
    convolutions(checkouts / "base/net.onnx", 1)
    checkouts.joinpath("head/net.onnx").write_bytes(b"no model")
    done = gate(checkouts)
    assert done.returncode == 3
    summary = checkouts.joinpath("summary.md").read_text()
    assert "**No judgement**: nothing was measured" in summary
    assert "    error: " in summary
    assert "error: " in done.stderr


def by_hand(script: Path, folder: Path, *arguments: str) -> tuple[int, str]:
    """Run a script without a runner, all that it prints in a file."""
    words = " ".join([str(script), *arguments])
    env = {"MODEL": "net.onnx", "GITHUB_STEP_SUMMARY": "", "GITHUB_OUTPUT": ""}
    return run(f"{words} > log 2>&1", folder, **env).returncode, folder.joinpath("log").read_text()


def test_what_an_earlier_use_left_is_no_part_of_a_verdict(checkouts: Path) -> None:
    convolutions(checkouts / "base/net.onnx", 1)
    checkouts.joinpath("head/net.onnx").write_bytes(b"no model")
    assert gate(checkouts).returncode == 3
    assert "error: " in checkouts.joinpath("gate/verdict.md").read_text()
    checkouts.joinpath("gate/pairs.samples.jsonl.gz").touch()
    checkouts.joinpath("head/net.onnx").unlink()
    assert gate(checkouts).returncode == 3
    said = checkouts.joinpath("gate/verdict.md").read_text()
    assert said == "### Latency, B against A\n\n**No judgement**: the head has no such model any more.\n"
    assert [path.name for path in checkouts.joinpath("gate").iterdir()] == ["verdict.md"]


def test_by_hand_all_of_it_is_printed_in_order(checkouts: Path) -> None:
    code, said = by_hand(SCRIPT, checkouts)
    assert code == 3
    first, *_, last = said.splitlines()
    assert first == "### Latency, B against A"
    assert last.startswith("::error title=gate::no judgement: neither the base nor the head")


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A checkout of the commit that merges a stale branch into main."""
    repository = tmp_path / "head"
    repository.mkdir()

    def git(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
        done = subprocess.run(["git", *who, *arguments], cwd=repository, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch", "main")
    git("commit", "--quiet", "--allow-empty", "-m", "begin")
    git("switch", "--quiet", "--create", "change")
    git("commit", "--quiet", "--allow-empty", "-m", "change")
    git("switch", "--quiet", "main")
    git("commit", "--quiet", "--allow-empty", "-m", "landed since")
    git("merge", "--quiet", "--no-ff", "change", "-m", "merge")
    return repository


def sides(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    (step,) = [s for s in steps(GITHUB / "actions/gate/action.yml") if s.raw.get("id") == "sides"]
    assert set(step.env) == {"BASE", "EVENT"}
    given = {"BASE": "", "EVENT": "pull_request", "GITHUB_ACTION_PATH": str(SCRIPT.parent)}
    out = {"GITHUB_OUTPUT": str(folder / "output.txt"), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    return run(step.script, folder, **given | out | env)


def commit(repository: Path, name: str) -> str:
    return subprocess.run(
        ["git", "rev-parse", name], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("event", ["pull_request", "push", "merge_group", "workflow_dispatch"])
@pytest.mark.parametrize("base", ["", "0" * 40])
def test_a_merge_is_compared_with_what_it_is_merged_into(merged: Path, event: str, base: str) -> None:
    """Not with where the branch began: what landed since is nobody's slowdown here."""
    done = sides(merged.parent, EVENT=event, BASE=base)
    assert done.returncode == 0, done.stderr
    assert merged.with_name("output.txt").read_text() == f"base={commit(merged, 'HEAD^1')}\n"
    assert commit(merged, "HEAD^1^{/landed}") == commit(merged, "HEAD^1")


def test_a_base_that_is_named_is_the_base(merged: Path) -> None:
    first = commit(merged, "HEAD~2")
    assert sides(merged.parent, EVENT="push", BASE=first).returncode == 0
    assert merged.with_name("output.txt").read_text() == f"base={first}\n"


def test_by_hand_the_base_is_printed_and_so_is_why_there_is_none(merged: Path) -> None:
    script = SCRIPT.with_name("sides.sh")
    assert by_hand(script, merged.parent, "head") == (0, f"base={commit(merged, 'HEAD^1')}\n")
    subprocess.run(["git", "switch", "--quiet", "--detach", commit(merged, "HEAD~2")], cwd=merged, check=True)
    code, said = by_hand(script, merged.parent, "head")
    assert code == 3
    assert said.startswith("::error title=gate::no judgement: the commit has no parent")
    assert said.endswith("**No judgement**: the commit has no parent to be compared with.\n")


def test_without_a_base_there_is_no_judgement(merged: Path) -> None:
    subprocess.run(["git", "switch", "--quiet", "--detach", commit(merged, "HEAD~2")], cwd=merged, check=True)
    done = sides(merged.parent)
    assert done.returncode == 3
    assert "the commit has no parent" in merged.with_name("summary.md").read_text()
    done = sides(merged.parent, EVENT="pull_request_target")
    assert done.returncode == 3
    assert "::error title=gate::no judgement: on pull_request_target" in done.stdout


@pytest.mark.parametrize(("extras", "asked"), [("", ""), ("openvino,zoo", "[openvino,zoo]")])
def test_extras_may_be_none(tmp_path: Path, extras: str, asked: str) -> None:
    (step,) = [s for s in steps(GITHUB / "actions/gate/action.yml") if s.raw.get("name") == "install"]
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nmkdir -p gate/.venv/bin\ncp "$0" gate/.venv/bin/python\necho "$@"\n')
    python.chmod(0o755)
    done = run(
        f'PATH="{tmp_path}:$PATH"\n{step.script}', tmp_path, EXTRAS=extras, REQUIREMENTS="", GITHUB_ACTION_PATH="/a/b/c"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(f"/a/b/c/../../..{asked}")


def test_this_projects_own_gate_exports_and_compares_both_sides(checkouts: Path) -> None:
    """Its steps as they are, after installing; both sides are this program."""
    found = {s.raw["name"]: s for s in steps(GITHUB / "workflows/gate.yml") if s.raw.get("name") in ("export", "gate")}
    convolutions(checkouts / "net.onnx", 1)
    shutil.copytree(GITHUB, checkouts / "program/.github")
    for side in ("base", "head"):
        shutil.copy(checkouts / "net.onnx", checkouts / side)
        done = run(found["export"].script, checkouts / side, NETWORK="net.onnx")
        assert done.returncode == 0, done.stderr
        for file in checkouts.joinpath(side, "model").iterdir():  # as it is uploaded and downloaded
            shutil.move(file, checkouts / side)
    own = {k: v for k, v in found["gate"].env.items() if "${{" not in v}
    done = run(found["gate"].script, checkouts, **{"BACKEND": "fake", "BUDGET": "1"} | own)
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
