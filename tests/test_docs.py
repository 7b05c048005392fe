from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import __version__
from bench.cli import COMMANDS
from docs.generate import PAGES

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text("utf-8") == PAGES[name](), "make docs"


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("results/*.md")]:
        text = page.read_text("utf-8")
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
        for path in re.findall(r"`((?:docs|benchmarks|tests|models|targets|bench)/[\w./]+\.\w+)`", text):
            assert (ROOT / path).exists() or "NAME" in path, f"{page.name}: {path}"


def test_the_readme_names_the_two_commands_and_every_command() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "make run" in text
    assert "make test" in text
    documented = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert all(f"bench {name}" in documented for name in COMMANDS)


def test_the_version_stands_in_one_way() -> None:
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_scaffolding_is_whole() -> None:
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "make test" in ci
    assert "make lint" in ci
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")
