"""A training within a budget: what it does next, what it keeps, and that a short one is the beginning of a long one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest

from bench.backends.kernel import Kernel
from bench.backends.ort_kernels import KernelList as Cut
from bench.backends.ort_kernels import kernels_of, optimise
from bench.base.errors import MeasureError
from bench.measure.probe_blocks import BLOCKS, network
from bench.plan.case import Case, Plan
from bench.plan.protocol import TRAINING
from bench.predict import campaign
from bench.predict.campaign import Campaign
from bench.predict.place import Place
from bench.predict.recipes import KINDS, ORDER, recipe
from bench.predict.sampler import choose, importance
from bench.predict.table import KernelList, KernelTable, asking, read
from tests.predict.synthetic import CONTEXT, cold_ns, conv, hot_ns, machine


def quiet(text: str) -> None: ...


class Clock:
    """Stands still until somebody waits: a kernel takes a fifth of a second, a network one."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class ScriptedProbes:
    """Cuts and times by a script, on a clock of its own."""

    def __init__(self, clock: Clock, told: bool) -> None:
        self.clock, self.told, self.turn = clock, told, itertools.count()
        self.dies_of = ""

    def __enter__(self) -> ScriptedProbes:
        self.clock.now += 0.5
        return self

    def __exit__(self, *_: object) -> None: ...

    def _cut(self, made: dict[str, Any]) -> list[Kernel]:
        number = int(made["name"].split()[1].rpartition("-")[2])
        return [conv(14, 16 * (1 + (number * 7 + i) % 23), 16 * (1 + i)) for i in range(8)]

    def kernels(self, made: dict[str, Any]) -> Cut:
        self.clock.now += 0.3
        if made["name"] == self.dies_of:
            raise MeasureError("the worker died")
        return Cut(tuple(self._cut(made)), ())

    def network(self, how: Any, profile: bool, made: dict[str, Any]) -> dict[str, Any]:
        self.clock.now += 1.0
        kernels = self._cut(made)
        found = {"blocks": [{"latency_ns": sum(map(hot_ns, kernels)), "gemm_ns": 1000.0}] * 3}
        if profile:
            times: list[float | None] = [hot_ns(k) for k in kernels]
            times[0] = None
            found |= {"kernels": [k.record() for k in kernels], "lost": [], "told_ns": times}
        return found

    def time_kernel(self, kernel: Kernel, *_: object) -> dict[str, Any]:
        self.clock.now += 0.2
        return {"hot_ns": hot_ns(kernel), "cold_ns": cold_ns(kernel), "gemm_ns": 1000.0}


class Scripted(Place):
    def probes(self, *_: object) -> Any:
        return self.scripted

    scripted: ScriptedProbes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    found = Clock()
    monkeypatch.setattr(campaign, "time", found)
    return found


def trained(
    clock: Clock, path: Path, seconds: float, told: bool = False, table: KernelTable | None = None
) -> KernelTable:
    from bench import backends
    from bench.plan import zoo
    from bench.plan.case import cross

    case = cross([zoo.resolve("mobilenetv1")], [backends.resolve("fake")], (1,), (1,)).cases[0]
    place = Scripted()
    place.scripted = ScriptedProbes(clock, told)
    table = table or KernelTable(CONTEXT)
    table.file = path
    table.networks.setdefault(str(case.network), KernelList(str(case.network), (), latency_ns=1e6))
    one = Campaign(table, Plan((case,), TRAINING), 0, told, quiet, place)
    one.run(seconds, lambda cases: None)
    return table


def times(table: KernelTable) -> dict[str, list[dict[str, float]]]:
    return {key: t.runs for key, t in table.timings.items() if t.runs}


def test_a_short_training_is_the_beginning_of_a_long_one(clock: Clock, tmp_path: Path) -> None:
    long = trained(clock, tmp_path / "long.json.gz", 60.0)
    assert 60 <= long.spent_s < 75
    begun = long.upto(25.0)
    assert 0 < len(times(begun)) < len(times(long))
    assert times(begun) == {k: [r for r in runs if r["spent_s"] <= 25] for k, runs in times(long).items()
                            if runs[0]["spent_s"] <= 25}  # fmt: skip
    measured = [n for n in begun.networks.values() if n.made and n.latency_ns]
    assert 0 < len(measured) < sum(n.latency_ns is not None and n.made is not None for n in long.networks.values())
    assert read(tmp_path / "long.json.gz").upto(25.0).networks == begun.networks


def test_a_training_goes_on_and_counts_what_was_spent(clock: Clock, tmp_path: Path) -> None:
    first = trained(clock, tmp_path / "t.json.gz", 20.0)
    before, kernels = first.spent_s, len(times(first))
    second = trained(clock, tmp_path / "t.json.gz", 40.0, table=read(tmp_path / "t.json.gz"))
    assert second.spent_s >= 40 > before
    assert len(times(second)) > kernels
    assert len({n.name for n in second.networks.values()}) == len(second.networks)
    began = clock.now
    trained(clock, tmp_path / "t.json.gz", 40.0, table=read(tmp_path / "t.json.gz"))
    assert clock.now == began  # all of it was spent before


def test_networks_that_wait_for_two_minutes_are_listed_before_they_are_timed(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench import backends
    from bench.plan import zoo
    from bench.plan.case import cross

    monkeypatch.setattr(Campaign, "_due", lambda *_: False)  # each is known well enough
    plan = cross([zoo.resolve("mobilenetv1"), zoo.resolve("squeezenet")], [backends.resolve("fake")], (1,), (1,))
    table = KernelTable(CONTEXT, file=tmp_path / "t.json.gz")
    place = Scripted()
    place.scripted = ScriptedProbes(clock, False)
    listed: list[int] = []

    def listing(cases: Sequence[Case]) -> None:
        listed.append(len(cases))
        for case in cases:
            table.networks.setdefault(str(case.network), KernelList(str(case.network), (), latency_ns=1e6))

    one = Campaign(table, plan, 1, False, quiet, place)
    within = one._round

    def crossing(cases: Sequence[Case], end: float) -> None:
        if one.spent_s < campaign.SHORT_S <= one.spent_s + campaign.ROUND_S:
            clock.now += campaign.ROUND_S  # two minutes are over before the first network's turn
        within(cases, end)

    monkeypatch.setattr(one, "_round", crossing)
    one.run(campaign.SHORT_S + 30, listing)
    assert set(listed) == {1, 2}


def test_a_runtime_that_tells_times_is_asked_for_those_of_networks(clock: Clock, tmp_path: Path) -> None:
    table = trained(clock, tmp_path / "t.json.gz", 30.0, told=True)
    assert table.told
    assert not any("cold_ns" in run for runs in times(table).values() for run in runs)
    untold = {n.keys[0] for n in table.networks.values() if n.keys} - set(times(table))
    assert untold  # what the runtime does not tell has no time, and is predicted


def test_a_network_that_the_runtime_does_not_take_costs_itself_alone(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedProbes, "__init__", _dying)
    table = trained(clock, tmp_path / "t.json.gz", 30.0)
    dead = table.networks[recipe(1)["name"]]
    assert (dead.keys, dead.latency_ns) == ((), None)
    assert len(times(table)) > 5


def _dying(self: ScriptedProbes, clock: Clock, told: bool) -> None:
    self.clock, self.told, self.dies_of = clock, told, recipe(1)["name"]


def test_what_is_unsure_and_weighs_most_is_timed_first() -> None:
    table = machine(families=6)
    seen = [k.kernel for k in table.timings.values()]
    heavy, light = conv(56, 96, 112, 3), conv(7, 20, 28)
    assert heavy.key not in {k.key for k in seen}
    table.networks["asked"] = KernelList("asked", tuple(table.add([heavy, light])))
    first = [choose(table, 0.02, seed)[0] for seed in range(20)]
    assert first.count(heavy.key) > 15
    assert set(choose(table, 60.0)) == {heavy.key, light.key}
    assert choose(table, 60.0, tried={heavy.key, light.key}) == []


def test_a_network_that_was_asked_about_counts_more_than_a_made_up_one() -> None:
    table = KernelTable(CONTEXT)
    keys = table.add([conv(14, 16, 16), conv(14, 32, 32)])
    table.networks["asked"] = KernelList("asked", (keys[0],))
    table.networks["made"] = KernelList("made", (keys[1],), made={"name": "made"})
    found = importance(table, dict.fromkeys(keys, 1000.0))
    assert found[keys[0]] > 3 * found[keys[1]]


def test_a_trained_table_is_asked_without_the_answers() -> None:
    table, other = machine(families=3, seed=1), machine(families=3, seed=2)
    other.networks = {f"other {name}": n for name, n in other.networks.items()}
    found = asking(table, other)
    assert all(found.networks[name].latency_ns is None for name in other.networks)
    new = set(other.timings) - set(table.timings)
    assert new
    assert not any(found.timings[key].runs for key in new)
    assert any(asking(table, other, timed=True).timings[key].runs for key in new)


def test_made_up_networks_are_the_same_for_the_same_number_and_use_every_block() -> None:
    assert recipe(3, 1) == recipe(3, 1) != recipe(3, 2)
    assert set(ORDER) == set(KINDS)
    used = {row["block"] for i in range(400) for row in recipe(i)["blocks"]}
    assert set(BLOCKS) - used == set()


@pytest.mark.parametrize("number", range(len(ORDER)))
def test_every_operator_of_a_made_up_network_can_be_cut_out(number: int) -> None:
    drawn = recipe(number) | {"side": 64}
    found = kernels_of(network(drawn))
    assert found.lost == ()
    assert len(found.kernels) > 5


@pytest.mark.parametrize("number", [0, 2, 4, 9])
def test_the_shapes_of_what_the_runtime_fuses_are_told_without_the_files_help(number: int, tmp_path: Path) -> None:
    made = network(recipe(number) | {"side": 64})
    del made.graph.value_info[:]
    onnx.save(made, tmp_path / "made.onnx")
    found = kernels_of(optimise(tmp_path / "made.onnx", 1, {"optimization": "all"}))
    assert found.lost == ()
    assert any("." in k.op for k in found.kernels)  # operators of its own
