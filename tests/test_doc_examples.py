"""What the documentation tells people to type is typed here."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

import bench as package
from bench.cli import COMMANDS, cli
from tests.conftest import Bench

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "python.md"


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in any of these languages; the empty one is a fence that names none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [text for language, text in found if language in languages]


def test_the_python_page_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "examples"}
    parts = blocks(EXAMPLES, "python")
    assert len(parts) >= 8
    for number, part in enumerate(parts):
        exec(compile(part, f"{EXAMPLES.name}, block {number + 1}", "exec"), names)
    results, comparison = names["results"], names["comparison"]
    assert isinstance(results, package.Results)
    assert [row.backend for row in results] == ["onnxruntime", "openvino"]
    assert all(row.latency_ms for row in results)
    assert isinstance(comparison, package.Comparison)
    assert (tmp_path / "results" / "mine.csv").exists()


def test_the_python_page_names_everything_that_is_offered() -> None:
    text = EXAMPLES.read_text("utf-8")
    assert [name for name in package.__all__ if name != "__version__" and name not in text] == []


# Commands that take no measuring time, with what they are followed by in the pages.
QUICK = (("list",), ("inspect",), ("targets", "list"), ("cache",), ("findings", "list"), ("findings", "show"),
         ("show", "results/"), ("compare", "results/"))  # fmt: skip
PAGES = sorted([ROOT / "README.md", *(page for page in ROOT.glob("docs/*.md") if page.name != "cli.md")])


def commands(page: Path) -> list[list[str]]:
    """Every `bench` command line of a page's fenced blocks, as words, without comments and outputs."""
    found: list[list[str]] = []
    for block in blocks(page, "", "bash", "console", "sh"):
        lines = re.sub(r"\\\n\s*", " ", block).splitlines()
        parts = [part.strip() for line in lines for part in re.split(r"&&|;", line.removeprefix("$ "))]
        typed = [part.replace("$(date -u +%F)", "DATE") for part in parts if part.startswith("bench ")]
        found += [shlex.split(part, comments=True)[1:] for part in typed]
    return found


DOCUMENTED = [(page.name, words) for page in PAGES for words in commands(page)]


def ids(value: object) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def test_the_pages_have_commands() -> None:
    assert len(DOCUMENTED) > 40
    assert {words[0] for _, words in DOCUMENTED} >= set(COMMANDS) - {"cache"}


@pytest.mark.parametrize(("page", "words"), DOCUMENTED, ids=ids)
def test_every_documented_command_line_is_one(
    page: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsed as the program parses it, without a run: names, options and their values."""
    monkeypatch.chdir(tmp_path)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()
    (tmp_path / "wheels").mkdir()
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words:
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, f"{page}: {name} is no command"
        command, context = found, click.Context(found, info_name=name)
    if words:
        command.make_context(command.name, list(words))


@pytest.mark.parametrize(
    ("page", "words"),
    [(page, words) for page, words in DOCUMENTED if any(tuple(words[: len(quick)]) == quick for quick in QUICK)],
    ids=ids,
)
def test_a_quick_one_runs(page: str, words: list[str], bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "results").symlink_to(ROOT / "results")
    result = bench(*words)
    assert (result.returncode, result.stderr.count("error:")) == (0, 0), result.stderr
    assert result.stdout.strip()
    assert "is now `bench" not in result.stderr
