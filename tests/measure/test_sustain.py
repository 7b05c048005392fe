"""Cases that are kept going on a device that gets hot: by a script, on a clock of the test's own."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import backends
from bench.api.measuring import run_protocol
from bench.base.errors import UsageError
from bench.machine import heat
from bench.measure.runner import Observer, Runner
from bench.plan import zoo
from bench.plan.case import Plan, cross
from bench.plan.protocol import Protocol
from bench.rows import file as records
from bench.rows.schema import Row
from bench.stats.settle import mean, settled
from tests.conftest import Bench
from tests.rows.rows import row, write

STEP_S = 5.0  # that the test's clock goes on by whenever it is read: a launch is more than half a minute
HOT = "fake:latency_ms=1,throttle=1.0,throttle_after=500,folder={}"
COOL = "fake:latency_ms=1.7,throttle=0.05,throttle_after=500,folder={}"


@dataclass
class Kept:
    """A run of two cases, as `bench run` leaves it on the disk."""

    path: Path
    rows: list[Row]
    raw: list[dict[str, Any]]


def plan_of(tiny: Path, *specs: str, **changed: Any) -> Plan:
    protocol = replace(Protocol(rounds=2, sustain_s=340.0, live=32, budget_s=0.1), **changed)
    return cross([zoo.resolve(str(tiny))], [backends.resolve(spec) for spec in specs], protocol=protocol)


def ticking() -> Any:
    clock = [0.0]

    def now() -> float:
        clock[0] += STEP_S
        return clock[0]

    return now


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    import onnx

    from tests.conftest import examined, tiny_model

    folder = tmp_path_factory.mktemp("kept")
    onnx.save(tiny_model(), folder / "tiny.onnx")
    plan = plan_of(examined(folder / "tiny.onnx"), HOT.format(folder), COOL.format(folder))
    path, raw = folder / "rows.csv", list[dict[str, Any]]()

    def samples(found: list[dict[str, Any]]) -> None:
        raw.extend(found)
        records.append_samples(path, found)

    rows = list(Runner(plan, observer=Observer(samples=samples), now=ticking()).run())
    return Kept(write(path, rows), sorted(rows, key=lambda one: one.backend, reverse=True), raw)


def test_a_first_minute_and_a_settled_state(kept: Kept) -> None:
    hot, cool = kept.rows
    assert {hot.status, cool.status} <= {"ok", "noisy"}, hot.error or cool.error
    assert 1.1 < hot.early_ms < 1.65 < cool.early_ms
    assert hot.settled_ms == pytest.approx(1.95, rel=0.04)
    assert cool.settled_ms == pytest.approx(1.7 * 1.045, rel=0.015)
    assert hot.latency_ms < 1.65  # what is compared with other rows is of the first minute
    assert 290 < hot.sustain_s <= 340 + 12 * 2  # the last turn of a case may begin just before the end
    assert 60 < hot.settled_after_s < 330
    assert hot.settled_mhz == pytest.approx(1030, rel=0.04)
    assert hot.early_mhz > hot.settled_mhz
    assert hot.early_celsius < 70 < hot.settled_celsius < 81
    assert hot.settled_lo_ms < hot.settled_ms < hot.settled_hi_ms


def test_launch_follows_launch_whatever_the_budget(kept: Kept) -> None:
    blocks = [block for launch in kept.raw for block in launch["blocks"]]
    assert len({launch["launch"] for launch in kept.raw}) >= 8
    assert all({"mhz", "celsius"} <= set(block["heat"]) for block in blocks)
    times = [block["at_s"] for launch in kept.raw[::2] for block in launch["blocks"]]
    assert times == sorted(times)


def test_show_draws_the_curve(kept: Kept, bench: Bench) -> None:
    said = bench("show", kept.path).stdout
    (line,) = [line for line in said.splitlines() if "settled at 1.9" in line]
    assert line.strip().startswith("▁")
    assert "█" in line
    assert re.search(r"\(\+[3-6]\d%\) after .* of 5.* min at 10\d\d MHz, 7\d C", line), line
    plain = bench("show", kept.path, PYTHONIOENCODING="ascii").stdout
    assert "_" in plain
    assert "\x1b" not in plain


def test_the_report_has_a_chart_of_it(kept: Kept) -> None:
    pytest.importorskip("altair")
    from bench.report.html.charts import sustain
    from bench.report.html.data import gather

    data = gather([str(kept.path)])
    assert len({record["case"] for record in data.sustained}) == 2
    assert max(record["minutes"] for record in data.sustained) > 5
    drawn = sustain.chart(data)
    assert drawn is not None
    assert drawn.records["sustain"] == list(data.sustained)
    assert sustain.chart(replace(data, sustained=())) is None


def test_an_interruption_makes_rows_of_what_there_is(tiny: Path, tmp_path: Path) -> None:
    plan = plan_of(tiny, HOT.format(tmp_path), COOL.format(tmp_path), sustain_s=1000.0)
    raw: list[dict[str, Any]] = []
    rows: list[Row] = []

    def step(case: object, replicate: int, doing: str) -> None:
        if replicate == 2 and doing == "measuring":
            raise KeyboardInterrupt

    runner = Runner(plan, observer=Observer(samples=raw.extend, step=step), now=ticking())
    measured = runner.run()
    with pytest.raises(KeyboardInterrupt):
        rows.extend(iter(lambda: next(measured), None))
    assert {one.status for one in rows} <= {"ok", "noisy"}, rows[0].error
    assert all(one.settled_ms is None for one in rows)
    assert all("ended before the 16.7 min" in one.remark for one in rows)
    assert len({launch["launch"] for launch in raw}) == 3  # the launch that was under way, too


def test_a_row_of_a_minute_is_no_row_of_half_an_hour(tiny: Path) -> None:
    from bench.rows.identity import finished

    plan = plan_of(tiny, "fake")
    (case,) = plan.cases
    plain = row(1.0, case_id=case.id, seed=0)
    assert finished([plain], plan) == {}
    assert set(finished([replace(plain, sustain_s=340.0)], plan)) == {case.id}
    assert set(finished([plain], replace(plan, protocol=Protocol()))) == {case.id}


def test_too_short_too_many_and_what_has_no_latency(tiny: Path) -> None:
    with pytest.raises(UsageError, match="too short"):
        run_protocol(None, None, None, 0, sustain_s=60.0)
    with pytest.raises(UsageError, match="leaves no pause"):
        run_protocol(None, None, None, 0, over_s=120.0, sustain_s=600.0)
    assert run_protocol(None, None, None, 0, sustain_s=1800.0).sustain_s == 1800
    with pytest.raises(UsageError, match="32 cases"):
        plan_of(tiny, *(f"fake:latency_ms={i}" for i in range(1, 34)))
    with pytest.raises(UsageError, match="mode=throughput"):
        Plan(
            cross([zoo.resolve(str(tiny))], [backends.resolve("fake")], mode="throughput").cases,
            Protocol(sustain_s=600.0),
        )


def test_what_came_to_rest_and_what_did_not() -> None:
    minutes = np.arange(0, 30, 0.5)
    level = 2 - np.exp(-minutes / 4)
    found = settled(minutes.tolist(), level.tolist())
    assert found is not None
    assert found.level.value == pytest.approx(1.98, rel=0.02)
    assert 8 < found.after < 16
    assert settled(minutes.tolist(), (1 + minutes / 30).tolist()) is None  # still rises
    assert settled([0.0, 1.0, 2.0], [1.0, 1.0, 1.0]) is None
    flat = settled(minutes.tolist(), [3.0] * len(minutes))
    assert flat is not None
    assert (flat.after, flat.level.lo) == (0.0, pytest.approx(3.0))
    assert mean([]) is None
    assert mean([2.0]) is not None
    assert mean([2.0]).lo is None  # type: ignore[union-attr]


def test_clock_and_temperature_of_a_recorded_machine(tmp_path: Path) -> None:
    assert heat.read([0], tmp_path) == {}
    for core, khz in ((0, 1_800_000), (1, 600_000)):
        place = tmp_path / f"devices/system/cpu/cpu{core}/cpufreq"
        place.mkdir(parents=True)
        (place / "scaling_cur_freq").write_text(f"{khz}\n")
    for number, kind, degrees in ((0, "gpu-thermal", 90_000), (1, "cpu-thermal", 71_500), (2, "cpu-big", 64_000)):
        zone = tmp_path / f"class/thermal/thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "type").write_text(f"{kind}\n")
        (zone / "temp").write_text(f"{degrees}\n")
    assert heat.read([0, 1], tmp_path) == {"mhz": 1200.0, "celsius": 71.5}
    chip = tmp_path / "class/hwmon/hwmon3"
    chip.mkdir(parents=True)
    (chip / "name").write_text("k10temp\n")
    (chip / "temp1_input").write_text("55250\n")
    assert heat.read([1], tmp_path) == {"mhz": 600.0, "celsius": 55.2}


def sustained(model: str, early: float, late: float, half: float = 0.01, **changed: Any) -> Row:
    ends = {"early_lo_ms": early * (1 - half), "early_hi_ms": early * (1 + half)}
    ends |= {"settled_lo_ms": late * (1 - half), "settled_hi_ms": late * (1 + half)}
    told = {"early_ms": early, "settled_ms": late, "sustain_s": 1800.0, "settled_after_s": 300.0}
    return row(early, model=model, **told, **ends, **changed)


def test_rank_says_whether_the_order_changed(tmp_path: Path) -> None:
    from bench.findings.turned import COLUMNS, turned
    from bench.rows.frame import load

    rows = [
        sustained("squeezenet", 4.0, 6.0),
        sustained("mobilenetv2", 5.0, 5.5),
        sustained("shufflenetv2", 3.0, 5.45),
        sustained("pplcnet", 5.02, 5.52, run_id="another"),  # not kept going beside them
        row(9.0, model="vgg16"),
    ]
    path = write(tmp_path / "rows.csv", rows)
    (found,) = turned(load([str(path)], (), COLUMNS))
    (turn,) = found.turns
    assert (found.networks, turn.faster, turn.slower, turn.certain) == (3, "squeezenet", "mobilenetv2", True)
    assert (turn.early, turn.settled) == (pytest.approx(0.8), pytest.approx(6 / 5.5))
    wide = [sustained("squeezenet", 4.0, 6.0, 0.2), sustained("mobilenetv2", 5.0, 5.5, 0.2)]
    (open_,) = turned(load([str(write(tmp_path / "wide.csv", wide))], (), COLUMNS))
    assert [turn.certain for turn in open_.turns] == [False]
    plain = write(tmp_path / "plain.csv", [row(3.0, model="a"), row(4.0, model="b")])
    assert turned(load([str(plain)], (), COLUMNS)) == []


def test_rank_prints_it(tmp_path: Path) -> None:
    from bench.findings.ranks import Analysis
    from bench.findings.turned import Sustained, Turn
    from bench.report.text.ranks import sustained as lines

    turns = (Turn("s", "a", "b", 0.8, 1.1, True), Turn("s", "c", "d", 0.99, 1.01, False))
    told = lines(Analysis({}, (), (), 0, (), (), (), (Sustained("s", 4, turns), Sustained("t", 2, ()))))
    assert "1 pair changes places beyond doubt, 1 perhaps" in told[0]
    assert told[1].strip() == "a takes 0.80 times as long as b at first, 1.10 times once settled"
    assert told[2].endswith("(perhaps)")
    assert "no pair changes places" in told[3]
