"""A night from end to end, in a repository of its own: rows are kept, compared, rendered and pushed."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.plan import suite, target
from bench.rows import file as records
from bench.rows.schema import Row
from tests.ci.steps import GITHUB, PROJECT, run, steps

CASES = ("shufflenetv2", "mobilenetv2")
RUNNERS = {"ubuntu-24.04": ("x86_64", "a Xeon", 1.0), "ubuntu-24.04-arm": ("aarch64", "a Neoverse", 1.5)}


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.invalid", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def measured(folder: Path, day: str) -> None:
    """Lay down what the measuring jobs of a night upload; what is tested is what becomes of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for runner, (arch, cpu, factor) in RUNNERS.items():
        for job in (1, 2):
            path = folder / f"{runner}-{job}.csv"
            for i, model in enumerate(CASES, 1):
                ms = factor * i * (1 + job / 1000)
                records.append(
                    path,
                    Row(
                        run_id=f"{day}-{runner}-{job}", started_at=f"{day}T02:30:00+00:00", status="ok", model=model,
                        backend="onnxruntime", threads=1, batch=1, resolution=224, precision="fp32", target=runner,
                        precision_effective="fp32", arch=arch, cpu=cpu, macs=1_000_000, latency_ms=ms,
                        latency_lo_ms=0.99 * ms, latency_hi_ms=1.01 * ms, launches=5,
                    ),
                )  # fmt: skip
            records.append_samples(path, [{"run_id": f"{day}-{runner}-{job}"}])


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """What the publishing job sees: the program, a clone to keep rows in, and the rows of the night."""
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(tmp_path, "clone", "--quiet", "origin.git", "first")
    tmp_path.joinpath("first/README.md").write_text("# the project\n")
    git(tmp_path / "first", "add", ".")
    git(tmp_path / "first", "commit", "--quiet", "-m", "begin")
    git(tmp_path / "first", "push", "--quiet", "origin", "HEAD:main")
    shutil.copytree(PROJECT / ".github", tmp_path / "program/.github")
    return tmp_path


def night(workspace: Path, day: str) -> Path:
    """Run the steps of the publishing job that are commands, installing apart; return what they left."""
    shutil.rmtree(workspace / "kept", ignore_errors=True)
    shutil.rmtree(workspace / "rows", ignore_errors=True)
    git(workspace, "clone", "--quiet", "--branch", "main", "origin.git", "kept")
    measured(workspace / "rows", day)
    scripts = [s for s in steps(GITHUB / "workflows/nightly.yml") if "publish" in s.name and s.script]
    assert scripts[0].raw["name"] == "install"
    for step in scripts[1:]:
        done = run(step.script, workspace, GITHUB_STEP_SUMMARY=str(workspace / "summary.md"))
        assert done.returncode == 0, f"{step.name}: {done.stderr}"
    return workspace / "kept"


def test_two_nights_are_kept_compared_and_pushed(workspace: Path) -> None:
    today = datetime.now(UTC).date().isoformat()
    night(workspace, today)
    origin = workspace / "origin.git"
    files = git(origin, "ls-tree", "-r", "--name-only", "nights").split()
    assert f"nights/{today}/ubuntu-24.04-arm-2.csv" in files
    assert f"nights/{today}/ubuntu-24.04-arm-2.samples.jsonl.gz" in files
    assert len(files) == 1 + 2 * 2 * 2  # and no file of the project
    page = git(origin, "show", "nights:README.md")
    assert "They cannot be compared" not in page
    assert "Last night against" not in page
    assert "| ubuntu-24.04 | ubuntu-24.04-arm |" in page
    assert "1.5" in page

    # Make that night an earlier one, then run another: the branch is there now.
    kept = workspace / "kept"
    kept.joinpath(f"nights/{today}").rename(kept / "nights/2026-01-01")
    git(kept, "add", ".")
    git(kept, "commit", "--quiet", "-m", "earlier")
    git(kept, "push", "--quiet", "origin", "HEAD:nights")
    night(workspace, today)
    page = git(origin, "show", "nights:README.md")
    assert "2 of them" in page
    assert "## Last night against the one before" in page
    assert "They cannot be compared" not in page
    assert {Path(f).parent.name for f in git(origin, "ls-tree", "-r", "--name-only", "nights").split()} == {
        "",
        "2026-01-01",
        today,
    }
    assert git(origin, "show", "main:README.md") == "# the project\n"
    assert workspace.joinpath("summary.md").read_text().endswith(page)


def test_the_measuring_step_runs(tmp_path: Path) -> None:
    """With the suite that it names; the program is stood in for, because a night takes ten minutes."""
    (step,) = [s for s in steps(GITHUB / "workflows/nightly.yml") if s.raw.get("name") == "measure"]
    answer = tmp_path / "answer"
    answer.mkdir()
    answer.joinpath("bench").write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    answer.joinpath("bench").chmod(0o755)
    done = run(f'PATH="{answer}:$PATH"\n{step.script}', tmp_path, RUNNER="ubuntu-24.04-arm", JOB="2")
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words[words.index("--output") + 1] == "rows/ubuntu-24.04-arm-2.csv"
    assert suite.resolve(words[words.index("--suite") + 1]).models
    given = target.resolve(str(tmp_path / words[words.index("--target") + 1]))
    assert given.name == "ubuntu-24.04-arm"
