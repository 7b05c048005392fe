from __future__ import annotations

import pytest

from bench.base.words import counted, listed, plural


@pytest.mark.parametrize(
    ("n", "thing", "said"),
    [
        (0, "row", "0 rows"),
        (1, "launch", "1 launch"),
        (2, "launch", "2 launches"),
        (2, "batch", "2 batches"),
        (1200, "inference", "1,200 inferences"),
        (2, "box", "2 boxes"),
        (2, "query", "2 queries"),
        (2, "array", "2 arrays"),
        (3, "more row", "3 more rows"),
    ],
)
def test_things_are_counted(n: int, thing: str, said: str) -> None:
    assert counted(n, thing) == said


def test_a_share_of_a_thing_is_plural() -> None:
    assert (plural("core", 0.5), plural("core", 1.0)) == ("cores", "core")


def test_names_are_listed_once_and_the_rest_is_counted() -> None:
    assert listed(["a", "b", "a"]) == "a, b"
    assert listed(["a", "b", "a", "c"], 2, "; ") == "a; b and 1 more"
    assert listed(["a", "b", "a"], 2) == "a, b"
