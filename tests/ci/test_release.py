"""A tag becomes a release: what is built, under which version, and whether it measures where nothing else is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ci.steps import GITHUB, PROJECT, read, run, steps

BUILD, CHECK = (GITHUB / "release" / name for name in ("build.sh", "check.sh"))
WORKFLOW = GITHUB / "workflows" / "release.yml"
MOST_MIB = 180
CHANGELOG = "# Changelog\n\n## Unreleased\n\n- later\n\n## 1.2.0\n\n- now, ## not a head\n\n## 1.1.0\n\n- once\n"


def built(folder: Path, tag: str, version: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the job, with a stand-in for the build, which takes minutes and the network."""
    stand_in = folder / "bin"
    stand_in.mkdir()
    python = stand_in / "python"
    python.write_text(
        f"#!/bin/sh\nmkdir dist\nfor end in .tar.gz -py3-none-any.whl; do touch dist/isoflops-{version}$end; done\n"
    )
    python.chmod(0o755)
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    return run(f'PATH="{stand_in}:$PATH" {BUILD}', folder, TAG=tag)


def test_a_tag_gets_the_section_of_its_version(tmp_path: Path) -> None:
    done = built(tmp_path, "v1.2.0", "1.2.0")
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "notes.md").read_text().strip() == "- now, ## not a head"


@pytest.mark.parametrize(
    ("tag", "version", "says"),
    [
        ("v1.2.1", "1.2.1", "CHANGELOG.md has no section '## 1.2.1'"),
        ("v1.2.0", "1.1.1.dev3", "the tag v1.2.0 gave isoflops-1.1.1.dev3"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(tmp_path: Path, tag: str, version: str, says: str) -> None:
    done = built(tmp_path, tag, version)
    assert done.returncode == 1
    assert f"::error title=release::{says}" in done.stdout


def test_without_a_tag_it_is_built_all_the_same(tmp_path: Path) -> None:
    assert built(tmp_path, "", "1.2.1.dev4").returncode == 0
    assert not (tmp_path / "notes.md").exists()


def test_only_a_tag_is_released_and_only_after_it_was_tried() -> None:
    jobs = read(WORKFLOW)["jobs"]
    for name in ("attach", "publish"):
        assert jobs[name]["if"] == "github.ref_type == 'tag'"
        assert jobs[name]["needs"] == "check"
    assert jobs["check"]["needs"] == "build"
    (checkout,) = [step["with"] for step in jobs["build"]["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["fetch-depth"] == 0, "the version is that of a tag"


def test_it_is_published_by_identity_where_the_action_publishes_by_itself() -> None:
    """No token, no address: a fork that is registered nowhere can publish nothing."""
    publish = read(WORKFLOW)["jobs"]["publish"]
    (step,) = [step for step in publish["steps"] if "gh-action-pypi-publish" in step.get("uses", "")]
    assert "with" not in step
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == "release"


def test_the_clean_environment_is_tried_on_every_system() -> None:
    ci = [step.script for step in steps(GITHUB / "workflows/ci.yml")]
    assert any(".github/release/check.sh ." in script for script in ci)
    assert any(".github/release/check.sh dist/" in step.script for step in steps(WORKFLOW))


def versioned(folder: Path, *git: tuple[str, ...]) -> str:
    """Return the version that a build in the folder would have."""
    pytest.importorskip("setuptools_scm")
    shutil.copy(PROJECT / "pyproject.toml", folder)
    who = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    for words in git:
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
    command = [sys.executable, "-m", "setuptools_scm"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split()[-1]


FIRST = (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "first"))


def test_the_version_is_that_of_the_tag(tmp_path: Path) -> None:
    assert versioned(tmp_path, *FIRST, ("tag", "v0.3.0")) == "0.3.0"
    after = versioned(tmp_path, ("commit", "--quiet", "--allow-empty", "-m", "second"))
    assert re.fullmatch(r"0\.3\.1\.dev1\+g[0-9a-f]+", after)


def test_a_tree_without_git_or_tags_has_a_version(tmp_path: Path) -> None:
    assert versioned(tmp_path) == "0.2.0.dev0"
    assert re.fullmatch(r"\d\S*\.dev1\+g[0-9a-f]+", versioned(tmp_path, *FIRST))


@pytest.mark.slow
def test_a_release_is_built_and_measures_in_a_clean_environment(tmp_path: Path) -> None:
    """With the network: what the workflow does for a tag, on this machine, but for releasing it."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", PROJECT, clone], check=True)
    (head,) = re.findall(r"^## (\d\S*)", clone.joinpath("CHANGELOG.md").read_text(), re.MULTILINE)[:1]
    who = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    subprocess.run(["git", *who, "tag", "--force", f"v{head}"], cwd=clone, check=True)
    tools = tmp_path / "tools"
    subprocess.run([sys.executable, "-m", "venv", tools], check=True)
    subprocess.run([tools / "bin/python", "-m", "pip", "install", "--quiet", "build"], check=True)
    done = run(f'PATH="{tools}/bin:$PATH" .github/release/build.sh', clone, TAG=f"v{head}")
    assert done.returncode == 0, done.stdout + done.stderr
    for kind in ("whl", "tar.gz"):
        (file,) = clone.glob(f"dist/*.{kind}")
        done = subprocess.run([CHECK, file, tmp_path / kind], capture_output=True, text=True, timeout=600)
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"bench, version {head}\n" in done.stdout
        (size,) = re.findall(r"^installed: (\d+) MiB$", done.stdout, re.MULTILINE)
        assert int(size) < MOST_MIB
