from __future__ import annotations

from pathlib import Path

import pytest

from bench import target
from bench.errors import UnknownName, UsageError


def test_shipped_targets_read() -> None:
    assert target.resolve("local").reach == "local"
    assert all(t.name == name for name, t in target.shipped().items())


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text('name = "board"\ncores = [2, 3]\nnotes = "under the desk"\n')
    assert target.resolve(str(path)) == target.Target("board", cores=(2, 3), notes="under the desk")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "valid TOML"),
        ("cores = [1]", "no name"),
        ('name = "x"\nreach = "carrier pigeon"', "not offered"),
        ('name = "x"\ncores = 3', "list of core numbers"),
        ('name = "x"\ncores = [-1]', "list of core numbers"),
        ('name = "x"\npython = 3', "must be a text"),
        ('name = "x"\ncoers = [1]', "named 'coers'"),
    ],
)
def test_a_wrong_file_is_said(text: str, says: str) -> None:
    with pytest.raises((UsageError, UnknownName), match=says):
        target.read("x.toml", text)
