"""What was ever found, again; and a few fresh inputs of each kind, the same ones every time."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.base.errors import ArtifactError
from bench.plan.zoo import resolve
from tests.fuzz import mutate
from tests.fuzz.__main__ import SHARES, Taker, made, taken, where
from tests.fuzz.kinds import KINDS

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*/*"))
FRESH = {"graphs": 25, "rows": 8, "options": 40, "kept": 40}  # else 100


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ISOFLOPS_CACHE", "set by what takes an input")
    before = resource.getrlimit(resource.RLIMIT_DATA)
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)  # what reads a file here as the export process does is limited


def test_every_kind_has_its_share() -> None:
    assert set(SHARES) == set(KINDS)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_is_told_in_a_line(path: Path) -> None:
    taken(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_fresh_inputs_are_taken_or_refused(kind: str) -> None:
    for number in range(FRESH.get(kind, 100)):
        taken(kind, made(0, kind, number))


@pytest.mark.parametrize("kind", KINDS)
def test_an_input_follows_from_its_number(kind: str) -> None:
    assert [made(5, kind, n) for n in range(20)] == [made(5, kind, n) for n in range(20)]
    assert len({made(5, kind, n) for n in range(20)}) > 10


def test_a_find_is_told_with_what_raised_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "toml", KINDS["toml"]._replace(take=lambda content, folder: print(1 / 0)))
    with pytest.raises(ZeroDivisionError) as caught:
        taken("toml", b"")
    assert where(caught.value) == "ZeroDivisionError in ?"
    with pytest.raises(ArtifactError) as ours:
        resolve("nowhere.onnx")
    assert where(ours.value).startswith("ArtifactError in plan/zoo.py:")


def test_an_input_that_ends_the_process_is_told_and_the_next_goes_on() -> None:
    taker = Taker()
    try:
        assert "what" not in taker.take(0, "specs", 0)
        taker.child.kill()
        taker.child.wait()
        assert taker.take(0, "specs", 1)["what"] == "death"
        assert "what" not in taker.take(0, "specs", 1)
    finally:
        taker.close()


def test_mutations_change_things() -> None:
    import random

    rng = random.Random(1)
    assert any(mutate.text(rng, "abcdef") != "abcdef" for _ in range(5))
    assert any(mutate.octets(rng, b"abcdef") != b"abcdef" for _ in range(5))
    assert any(mutate.value(rng, {"a": [1, {"b": 2}]}) != {"a": [1, {"b": 2}]} for _ in range(5))
