"""What the documentation tells people to type is typed here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bench as package

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "python.md"


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


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
