"""A night from end to end, in a repository of its own: rows are kept, compared, rendered and pushed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bench.plan import suite, target
from bench.rows import file as records
from bench.rows.schema import Row
from tests.ci.steps import GITHUB, PROJECT, read, run, steps

CASES = ("shufflenetv2", "mobilenetv2")
RUNNERS = {"ubuntu-24.04": ("x86_64", "a Xeon", 1.0), "ubuntu-24.04-arm": ("aarch64", "a Neoverse", 1.5)}


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.invalid", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def measured(folder: Path, day: str, factor_of_night: float = 1.0) -> None:
    """Lay down what the measuring jobs of a night upload; what is tested is what becomes of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for runner, (arch, cpu, factor) in RUNNERS.items():
        for job in (1, 2, 3):
            path = folder / f"{runner}-{job}.csv"
            for i, model in enumerate(CASES, 1):
                ms = factor * factor_of_night * i * (1 + job / 1000)
                records.append(
                    path,
                    Row(
                        run_id=f"{day}-{runner}-{job}-{factor_of_night}", started_at=f"{day}T02:30:00+00:00",
                        status="ok", model=model, backend="onnxruntime", threads=1, batch=1, resolution=224,
                        precision="fp32", target=runner, precision_effective="fp32", arch=arch, cpu=cpu,
                        macs=1_000_000, latency_ms=ms, latency_lo_ms=0.99 * ms, latency_hi_ms=1.01 * ms, launches=5,
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


def job(workspace: Path, name: str, kept: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the steps of a job that are commands, installing apart; the last one that ran."""
    if kept:
        shutil.rmtree(workspace / "kept", ignore_errors=True)
        git(workspace, "clone", "--quiet", "--branch", "main", "origin.git", "kept")
    for step in steps(GITHUB / "workflows/nightly.yml"):
        if f": {name} " in step.name and step.script and step.raw["name"] != "install":
            done = run(step.script, workspace, GITHUB_STEP_SUMMARY=str(workspace / "summary.md"), PAUSE="0", **env)
            if done.returncode:
                break
    return done


def night(workspace: Path, day: str, factor: float = 1.0) -> str:
    """Run a night from measuring to publishing; return the page."""
    shutil.rmtree(workspace / "rows", ignore_errors=True)
    shutil.rmtree(workspace / "page", ignore_errors=True)
    measured(workspace / "rows", day, factor)
    for name in ("render", "publish"):
        done = job(workspace, name)
        assert done.returncode == 0, f"{name}: {done.stderr}\n{done.stdout}"
    return git(workspace / "origin.git", "show", "nights:README.md")


def kept_files(workspace: Path) -> list[str]:
    return git(workspace / "origin.git", "ls-tree", "-r", "--name-only", "nights").split()


def test_nights_are_kept_compared_and_pushed(workspace: Path) -> None:
    page = night(workspace, "2026-03-01")
    files = kept_files(workspace)
    assert "nights/2026-03-01/ubuntu-24.04-arm-2.csv" in files
    assert "nights/2026-03-01/ubuntu-24.04-arm-2.samples.jsonl.gz" in files
    assert "report.html" in files
    assert len(files) == 2 + 2 * 3 * 2  # and no file of the project
    assert "No verdict yet: it takes 7 earlier nights, and there are 0." in page
    assert "| ubuntu-24.04 | ubuntu-24.04-arm |" in page
    assert "Not told" not in page
    assert git(workspace / "origin.git", "show", "main:README.md") == "# the project\n"
    assert workspace.joinpath("summary.md").read_text().endswith(page)


def earlier(workspace: Path, days: int) -> None:
    """Put nights on the branch without rendering each."""
    for day in range(1, days + 1):
        measured(workspace / "rows", f"2026-03-{day:02}")
        done = job(workspace, "publish")
        assert done.returncode == 0, done.stderr
        shutil.rmtree(workspace / "rows")


def test_the_last_night_is_held_against_a_week_or_two(workspace: Path) -> None:
    earlier(workspace, 7)
    page = night(workspace, "2026-03-08", 1.3)
    assert "## Last night against the 7 nights before it" in page
    assert "21+3" in page
    assert page.count("slower") >= len(CASES)
    assert "withheld" not in page


def test_a_re_run_overwrites_nothing_and_with_nothing_new_is_no_failure(workspace: Path) -> None:
    night(workspace, "2026-03-01")
    before = git(workspace / "origin.git", "rev-parse", "nights")
    done = job(workspace, "publish")
    assert done.returncode == 0, done.stderr
    assert "nothing is new" in done.stdout
    assert git(workspace / "origin.git", "rev-parse", "nights") == before
    files = kept_files(workspace)
    # A second run on that date, published on a later one: beside the first, under the day of measuring.
    night(workspace, "2026-03-01", 1.1)
    assert set(kept_files(workspace)) > set(files)
    assert "nights/2026-03-01/ubuntu-24.04-2-2.csv" in kept_files(workspace)
    assert {f.split("/")[1] for f in kept_files(workspace) if f.startswith("nights/")} == {"2026-03-01"}


def test_a_file_that_grew_is_replaced_and_an_older_state_of_it_changes_nothing(workspace: Path) -> None:
    measured(workspace / "rows", "2026-03-01")
    path = workspace / "rows/ubuntu-24.04-1.csv"
    whole = path.read_text()
    path.write_text("".join(whole.splitlines(True)[:2]))
    assert job(workspace, "publish").returncode == 0
    path.write_text(whole)
    assert job(workspace, "publish").returncode == 0
    place = "nights:nights/2026-03-01/ubuntu-24.04-1.csv"
    assert git(workspace / "origin.git", "show", place) == whole
    path.write_text("".join(whole.splitlines(True)[:2]))
    assert "nothing is new" in job(workspace, "publish").stdout


def test_a_lost_race_is_run_again(workspace: Path) -> None:
    """Somebody pushes between our fetch and our push: rows of both are there, of both under their names."""
    earlier(workspace, 1)
    measured(workspace / "rows", "2026-03-02", 1.2)
    git(workspace, "clone", "--quiet", "--branch", "nights", "origin.git", "other")
    other = workspace / "other/nights/2026-03-02"
    other.mkdir(parents=True)
    other.joinpath("ubuntu-24.04-1.csv").write_text("theirs\n")
    shutil.rmtree(workspace / "kept", ignore_errors=True)
    git(workspace, "clone", "--quiet", "--branch", "main", "origin.git", "kept")
    git(workspace / "other", "add", ".")
    git(workspace / "other", "commit", "--quiet", "-m", "theirs")
    git(workspace / "other", "push", "--quiet", "origin", "HEAD:nights")
    done = job(workspace, "publish", kept=False)
    assert done.returncode == 0, done.stderr
    assert "once more on what is there now" in done.stderr
    assert git(workspace / "origin.git", "show", "nights:nights/2026-03-02/ubuntu-24.04-1.csv") == "theirs\n"
    assert "nights/2026-03-02/ubuntu-24.04-1-2.csv" in kept_files(workspace)


def test_the_page_gives_the_programs_own_reason_and_the_job_is_red(workspace: Path) -> None:
    """A file without a row that reads: its name and line are on the page."""
    measured(workspace / "rows", "2026-03-01")
    for path in workspace.joinpath("rows").glob("*.csv"):
        header, *_ = path.read_text().splitlines(True)
        path.write_text(header + "2026-03-01,2026-03-01,2026-03-01T00:00:00\n")
    done = job(workspace, "render")
    assert done.returncode == 1
    page = workspace.joinpath("page/README.md").read_text()
    assert "Not told, exit code 2:" in page
    assert "line 2: it ends early" in page


def test_rows_are_published_although_the_page_could_not_be_rendered(workspace: Path) -> None:
    measured(workspace / "rows", "2026-03-01")
    assert job(workspace, "publish").returncode == 0
    assert len(kept_files(workspace)) == 2 * 3 * 2
    jobs = read(GITHUB / "workflows/nightly.yml")["jobs"]
    assert jobs["publish"]["if"] == jobs["render"]["if"] == "${{ !cancelled() }}"


def test_no_rows_at_all(workspace: Path) -> None:
    workspace.joinpath("rows").mkdir()
    assert job(workspace, "render").returncode == 1
    assert "There is none yet" in workspace.joinpath("page/README.md").read_text()


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
