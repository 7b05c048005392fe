from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import backends
from bench.base.errors import UnknownName, UsageError
from bench.plan import suite, zoo
from tests.conftest import Bench, one_line_error


@pytest.mark.parametrize("name", suite.shipped())
def test_a_shipped_suite_names_what_there_is(name: str) -> None:
    found = suite.resolve(name)
    assert found.title
    for model in found.models:
        zoo.resolve(model)
    for backend in found.backends:
        backends.resolve(backend, here=not found.installed_only)


@pytest.mark.parametrize("name", ["zoo", "runtimes"])
def test_every_family_is_there_at_its_default(name: str) -> None:
    refs = [zoo.resolve(model) for model in suite.resolve(name).models]
    assert {ref.canonical for ref in refs} >= {zoo.resolve(family).canonical for family in zoo.cards()}
    assert len(refs) == len({ref.canonical for ref in refs})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models = [", "valid TOML"),
        ("", "names no models"),
        ("models = []", "names no models"),
        ('models = "shufflenetv2"', "list of texts"),
        ('models = ["a"]\nthreads = [1.5]', "list of whole numbers"),
        ('models = ["a"]\nbudget = -1', "above zero"),
        ('models = ["a"]\nlaunches = 2.5', "whole number"),
        ('models = ["a"]\nreference = 3', "reference must be a text"),
        ('models = ["a"]\nprecisions = ["int9"]', "precisions are fp32, fp16, bf16, int8"),
        ('models = ["a"]\ntitle = ""', "title must be a text"),
        ('models = ["a"]\ninstalled_only = 1', "installed_only must be true or false"),
        ('models = ["a"]\nbackend = ["openvino"]', "named 'backend'"),
    ],
)
def test_a_wrong_suite_is_said(text: str, says: str) -> None:
    with pytest.raises((UsageError, UnknownName), match=says):
        suite.read("x.toml", text)


def test_every_runtime_is_in_the_suite_of_runtimes() -> None:
    found = suite.resolve("runtimes")
    assert found.installed_only
    assert {spec.partition(":")[0] for spec in found.backends} == set(backends.names()) - {"fake"}


def test_the_suite_of_precisions_asks_for_each_that_is_offered() -> None:
    found = suite.resolve("precisions")
    assert set(found.precisions) == {"fp32", "bf16", "int8"}
    offered = {name: set(backends.get(name).parameters["precision"].choices) for name in found.backends}
    assert all(choices & {"bf16", "int8"} for choices in offered.values())


def test_an_option_wins_over_the_suite(bench: Bench, tiny: Path) -> None:
    mine = tiny.with_name("mine.toml")
    mine.write_text(f'models = ["{tiny}"]\nbackends = ["fake:latency_ms=3"]\nlaunches = 2\nbudget = 1\n')
    (row,) = json.loads(bench("run", "--suite", mine, "--format", "json").stdout)
    assert row["latency_ms"] == pytest.approx(3)
    other = bench("run", "--suite", mine, "--backend", "fake:latency_ms=4", "--format", "json")
    assert [r["latency_ms"] for r in json.loads(other.stdout)] == [pytest.approx(4)]


def test_the_nightly_suite_is_a_nights_work_and_has_its_reference() -> None:
    found = suite.resolve("nightly")
    cases = len(found.models) * len(found.backends) * len(found.threads)
    assert 12 <= cases <= 20
    assert cases * (found.budget or 60) <= 20 * 60
    model, backend = found.reference.split("@")
    assert model in found.models
    assert backend in found.backends


def test_a_reference_is_measured_with_every_run_of_its_suite(bench: Bench, tiny: Path) -> None:
    """Once: also where it is among the cases already, and where the command line changes the models."""
    mine = tiny.with_name("mine.toml")
    text = f'models = ["{tiny}"]\nbackends = ["fake:latency_ms=3"]\nlaunches = 2\nbudget = 1\n'
    mine.write_text(text + f'reference = "{tiny}@fake:latency_ms=7"\n')
    rows = json.loads(bench("run", "--suite", mine, "--format", "json").stdout)
    assert [r["latency_ms"] for r in rows] == [pytest.approx(7), pytest.approx(3)]
    assert len({r["run_id"] for r in rows}) == 1
    mine.write_text(text + f'reference = "{tiny}@fake:latency_ms=3"\n')
    assert len(json.loads(bench("run", "--suite", mine, "--format", "json").stdout)) == 1
    mine.write_text(text + 'reference = "nothing@fake"\n')
    assert "bench list models" in one_line_error(bench("run", "--suite", mine))


def test_mistakes_are_one_line(bench: Bench) -> None:
    assert "did you mean quick" in one_line_error(bench("run", "--suite", "quik"))
    assert "check the path" in one_line_error(bench("run", "--suite", "no.toml"))
    assert "--model" in one_line_error(bench("run", "--backend", "fake"))
    assert "zoo" in bench("list", "suites").stdout
