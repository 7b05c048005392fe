"""The pages as a site: it loads nothing from elsewhere, and its links lead somewhere."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import bench

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def checking() -> ModuleType:
    """The program that `make docs` holds the site with."""
    spec = importlib.util.spec_from_file_location("check_site", DOCS / "check_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_site"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ('<script src="https://cdn.invalid/x.js"></script>', "index.html loads https://cdn.invalid/x.js"),
        ('<link rel="stylesheet" href="//fonts.invalid/a.css">', "index.html loads //fonts.invalid/a.css"),
        ('<img srcset="a.svg 1x, http://b.invalid/b.svg 2x">', "index.html loads http://b.invalid/b.svg"),
        ("<style>p { background: url(https://c.invalid/d.png) }</style>", "index.html loads https://c.invalid/d.png"),
        ('<p style="background: url(//e.invalid/f)">', "index.html loads //e.invalid/f"),
        ('<a href="gone.html">', "index.html: there is no gone.html"),
        ('<a href="b/#nowhere">', "index.html: b/#nowhere has no such place"),
        ('<a href="#nowhere">', "index.html: #nowhere has no such place"),
        ('<img src="gone.svg">', "index.html: there is no gone.svg"),
    ],
)
def test_what_a_page_must_not_do_is_found(checking: ModuleType, tmp_path: Path, html: str, says: str) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "index.html").write_text('<h1 id="here">')
    (tmp_path / "a.svg").touch()
    (tmp_path / "index.html").write_text(html)
    assert checking.check(tmp_path) == [says]


def test_what_a_page_may_do_is_not(checking: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("/* url(https://x.invalid) */ p { background: url(a.svg); mask: url('data:,x') }")
    (tmp_path / "a.svg").touch()
    links = (
        '<link rel="stylesheet" href="a.css?v=1"><a href="https://x.invalid">x</a><img src="a.svg"><a href="#b" id="b">'
    )
    (tmp_path / "index.html").write_text(links)
    assert checking.check(tmp_path) == []
    (tmp_path / "a.css").write_text("@import 'https://x.invalid/y.css';")
    assert checking.check(tmp_path) == ["a.css loads https://x.invalid/y.css"]
    assert checking.check(tmp_path / "none") == [f"there are no pages in {tmp_path / 'none'}"]


def test_every_page_is_in_the_sites_contents() -> None:
    tree = "\n".join(re.findall(r"```{toctree}\n(.*?)```", (DOCS / "index.md").read_text("utf-8"), re.DOTALL))
    listed = {line for line in tree.splitlines() if line and not line.startswith(":")}
    assert listed >= {page.stem for page in DOCS.glob("*.md")} - {"index"}
    assert "findings/*" in listed


def test_the_reference_has_everything_that_is_offered() -> None:
    page = (DOCS / "api.md").read_text("utf-8")
    named = set(re.findall(r"auto(?:function|class|exception):: (\w+)", page))
    assert named == set(bench.__all__) - {"__version__"}


def test_the_first_page_leads_each_user_to_a_page_of_theirs() -> None:
    for text in ((ROOT / "README.md").read_text("utf-8"), (DOCS / "index.md").read_text("utf-8")):
        assert all(f"{page}.md)" in text for page in ("researcher", "own-model", "device-owner"))


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_keeps_its_promises(checking: ModuleType, tmp_path: Path) -> None:
    for name in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(name)
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    done = subprocess.run([*command, "-d", tmp_path / "trees", DOCS, tmp_path / "site"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert checking.check(tmp_path / "site") == []
    text = (tmp_path / "site" / "searchindex.js").read_text("utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    assert set(index["docnames"]) == {p.relative_to(DOCS).with_suffix("").as_posix() for p in DOCS.rglob("*.md")}
    for word, page in (
        ("rapl", "targets"),
        ("adb", "extending"),
        ("shufflenet", "findings-why"),
        ("xnnpack", "runtimes"),
    ):
        found = index["terms"].get(word, [])
        pages = [index["docnames"][i] for i in ([found] if isinstance(found, int) else found)]
        assert page in pages, (word, pages)
    api = (tmp_path / "site" / "api.html").read_text("utf-8")
    assert all(f'id="bench.{name}"' in api for name in bench.__all__ if name != "__version__")
