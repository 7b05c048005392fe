from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from importlib import metadata
from pathlib import Path

import pytest

from bench import __version__
from bench.cli import COMMANDS

ROOT = Path(__file__).parent.parent


@pytest.mark.usefixtures("counted")
def test_generated_pages_are_current() -> None:
    """In a process of its own: what other tests did to commands and backends is no part of the pages."""
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"make docs\n{done.stdout}{done.stderr}"


def anchors(page: Path) -> set[str]:
    """The names that a page's headings have, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("results/*.md")]:
        text = page.read_text("utf-8")
        for link, anchor in re.findall(r"\]\(([^)#: ]*)(?:#([^)]+))?\)", text):
            there = page.parent / link if link else page
            assert there.exists(), f"{page.name}: {link}"
            assert not anchor or anchor in anchors(there), f"{page.name}: {link}#{anchor}"
        for path in re.findall(r"`((?:docs|benchmarks|tests|models|targets|bench)/[\w./]+\.\w+)`", text):
            assert (ROOT / path).exists() or "NAME" in path, f"{page.name}: {path}"


def test_the_readme_names_the_two_commands_and_every_command() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "make run" in text
    assert "make test" in text
    documented = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert all(f"bench {name}" in documented for name in COMMANDS)


def test_the_version_is_that_of_the_build_and_the_next_one_is_in_the_changelog() -> None:
    assert __version__ == metadata.version("isoflops")
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert told["project"]["dynamic"] == ["version"]
    coming = told["tool"]["setuptools_scm"]["fallback_version"].removesuffix(".dev0")
    heads = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert heads[:2] == ["Unreleased", coming]
    assert len(set(heads)) == len(heads)


def test_the_readme_is_short_and_promises_no_package_that_is_not_published() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) < 120
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "install.md"]:
        typed = re.findall(r"^pip install (\S+)", page.read_text("utf-8"), re.MULTILINE)
        assert not [what for what in typed if what.strip("'").startswith("isoflops")], page.name


def test_every_direct_dependency_says_why_it_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    told = {name.strip() for cell in re.findall(r"^\| ([^|(]+)", page, re.MULTILINE) for name in cell.split(",")}
    extras = {name: wanted for name, wanted in project["optional-dependencies"].items() if name not in ("all", "dev")}
    for wanted in (project["dependencies"], *extras.values()):
        names = {re.split(r"[^\w-]", one)[0] for one in wanted} - {"isoflops"}
        assert names <= told, names - told


def test_the_scaffolding_is_whole() -> None:
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "make test" in ci
    assert "make lint" in ci
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")


def test_the_front_pages_charts_are_of_this_schema() -> None:
    """What they are drawn from was written under the rules of today, whole, and no row of it failed."""
    from bench.plan.suite import resolve
    from bench.rows import file
    from bench.rows.schema import SCHEMA_VERSION

    (source,) = set(re.findall(r"bench report (\S+\.csv) --chart latency", (ROOT / "Makefile").read_text("utf-8")))
    assert source in (ROOT / "README.md").read_text("utf-8")
    rows = file.read(ROOT / source)
    assert {row.schema_version for row in rows} == {SCHEMA_VERSION}
    assert {row.status for row in rows} <= {"ok", "noisy"}
    assert all(row.latency_ms is not None and row.latency_ms < 4 for row in rows if row.status == "noisy")
    assert Counter(row.backend for row in rows) == dict.fromkeys(
        ("onnxruntime", "openvino"), len(resolve("zoo").models)
    )


def test_the_front_page_shows_ok_rows_of_this_schema() -> None:
    """Every line of README's table is a row that is kept, is ok, and was written under the rules of today."""
    from bench.rows import file
    from bench.rows.schema import SCHEMA_VERSION

    rows = {(r.model, r.backend, r.threads): r for r in file.read(ROOT / "results/epyc-vm-2core/nine.csv")}
    table = (ROOT / "README.md").read_text("utf-8").partition("model         backend")[2].partition("```")[0]
    shown = [line.split() for line in table.splitlines() if re.match(r"\S+ +(onnxruntime|openvino|torch) +\d", line)]
    assert len(shown) == 9
    for model, backend, macs, latency, width, *_, status in shown:
        row = rows[model, backend, 1]
        assert (row.status, status, row.schema_version) == ("ok", "ok", SCHEMA_VERSION)
        assert row.latency_ms is not None
        assert row.latency_lo_ms is not None
        assert row.latency_hi_ms is not None
        half = (row.latency_hi_ms - row.latency_lo_ms) / 2 / row.latency_ms
        assert (float(latency), width) == (pytest.approx(row.latency_ms, abs=6e-4), f"±{half:.1%}")
        assert float(macs) == pytest.approx((row.macs or 0) / 1e6, abs=0.06)
