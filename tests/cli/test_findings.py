"""`bench findings` as a person meets it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.base.errors import BenchError
from bench.cli.findings import command
from bench.findings import catalog
from bench.findings.finding import Experiment, Finding
from bench.findings.side import Side

KEYS = {"id", "claim", "source", "runnable"}
RUN_KEYS = KEYS | {"backend", "effect", "effect_lo", "effect_hi", "published", "verdict"}
SMALL = [
    Experiment(
        f"small{suffix}",
        Side("stack/conv:c=16", resolution=8),
        Side("stack/conv:c=16,groups=2", resolution=8),
        1.5,
        "a phone",
        channels=channels,
        quick=True,
    )
    for suffix, channels in (("", "paper"), (", aligned", "aligned"))
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue that is measured within seconds."""
    found = Finding("G1", "groups cost time", "Paper, Table 1", "Paper", (SMALL[0],), note="A note.")
    silent = Finding("X-01", "a claim", "Paper, Table 2", "Paper", reason="nothing is trained here")
    monkeypatch.setattr(catalog, "catalog", lambda: {"G1": found, "X-01": silent})
    for page in ("findings", "papers"):
        monkeypatch.setattr(f"bench.report.text.{page}.catalog", lambda: {"G1": found, "X-01": silent})


def test_the_list_has_every_claim() -> None:
    found = json.loads(run("list", "--format", "json").stdout)
    assert len(found) > 94
    assert all(set(one) > KEYS for one in found)
    assert sum(one["runnable"] for one in found) > 60
    table = list(csv.DictReader(io.StringIO(run("list", "g1", "SV1-09", "--format", "csv").stdout)))
    assert [one["id"] for one in table] == ["G1", "SV1-09"]
    assert "accuracy" in table[1]["reason"]
    assert "SV2-08" in run("list").stdout


def test_mistakes_are_told() -> None:
    with pytest.raises(BenchError, match="no finding named"):
        run("run", "G9", "--backend", "fake")
    with pytest.raises(BenchError, match="--quick is for"):
        run("run", "SV1-01", "--quick", "--backend", "fake")
    with pytest.raises(BenchError, match="in --suite core"):
        run("run", "SV1-01", "--suite", "core", "--backend", "fake")
    with pytest.raises(BenchError, match="two suites"):
        run("run", "--quick", "--suite", "core", "--backend", "fake")
    with pytest.raises(BenchError, match="cannot be read"):
        run("show", "--results", "nowhere.jsonl")


@pytest.mark.usefixtures("small")
def test_run_resume_show(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    arguments = ("run", "--backend", "fake", "--output", path, "--replicates", 3, "--format", "json")
    said = run(*arguments)
    assert said.exit_code == 0, said.stderr
    found, silent = json.loads(said.stdout)
    assert set(found) > RUN_KEYS
    assert found["backend"] == "fake"
    assert found["effect"] == 1.0
    assert found["verdict"] == "does not transfer"
    assert silent["verdict"] == "not testable here"
    assert silent["reason"] == "nothing is trained here"
    with pytest.raises(BenchError, match="already"):
        run(*arguments)
    before = path.read_text()
    assert json.loads(run(*arguments, "--resume").stdout) == [found, silent]
    assert path.read_text() == before
    assert json.loads(run("show", "--results", path, "--format", "json").stdout)[0] == found
    assert "does not transfer" in run("show", "--results", path).stdout
    rows = list(csv.DictReader(path.with_suffix(".csv").read_text().splitlines()))
    assert rows[0]["verdict"] == "does not transfer"
    page = run("show", "--results", path, "--page").stdout
    assert "### G1" in page
    assert "| X-01 | a claim | nothing is trained here |" in page


@pytest.mark.usefixtures("small")
def test_a_backend_that_fails_is_not_testable_here(tmp_path: Path) -> None:
    said = run("run", "G1", "--backend", "fake:fail=raise,fail_at=3", "--output", tmp_path / "f.jsonl", "--waves", 3)
    assert said.exit_code == 1
    assert "not testable here: unsupported: scripted failure" in " ".join(said.stdout.split())


@pytest.mark.usefixtures("small")
def test_a_budget_ends_it_and_says_so(tmp_path: Path) -> None:
    said = run("run", "G1", "--backend", "fake", "--output", tmp_path / "f.jsonl", "--budget", 1, "--waves", 1000)
    assert said.exit_code == 3
    assert "--resume goes on" in said.stderr


def test_threads_are_for_what_was_published_on_several(tmp_path: Path) -> None:
    for threads, said in (("1", "from 2 to that"), ("many", "from 2 to that"), ("999", "this machine has")):
        with pytest.raises(BenchError) as wrong:
            run("run", "LC-04", "--threads", threads, "--output", tmp_path / "f.jsonl")
        assert said in f"{wrong.value.message} {wrong.value.hint}"
    with pytest.raises(BenchError, match=r"one core|several threads"):
        run("run", "G1", "--threads", "all", "--output", tmp_path / "f.jsonl")
    assert not (tmp_path / "f.jsonl").exists()
