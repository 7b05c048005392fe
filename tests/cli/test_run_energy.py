"""`bench run --energy`, with a meter that is a plug-in as a person would install it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.rows import file as records
from tests.conftest import Bench, one_line_error

QUICK = ("--launches", 2, "--budget", 1, "--output", "r.csv")
# 2 W always and 10 W for each second of the worker's CPU time: what it computes, and nothing else. Asked for a tenth
# of a second instead of one.
METER = """
import time
from bench.base.errors import Unsupported
from bench.measure import energy

energy.LEAST_S = 0.1

class Meter:
    name, every_s = "scripted meter", 0.002

    def total_j(self):
        return 10 * time.process_time() + 2 * time.monotonic()

    def close(self):
        pass

def missing():
    raise Unsupported("the cable is not in")
"""


@pytest.fixture
def plugged(tmp_path: Path) -> dict[str, str]:
    site = tmp_path / "site"
    info = site / "scripted_meter-1.dist-info"
    info.mkdir(parents=True)
    (site / "scripted_meter.py").write_text(METER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scripted-meter\nVersion: 1\n")
    points = "[bench.meters]\nscripted = scripted_meter:Meter\nmissing = scripted_meter:missing\n"
    (info / "entry_points.txt").write_text(points)
    return {"PYTHONPATH": str(site)}


def test_a_row_tells_joules_with_their_interval_and_what_was_taken_out(
    bench: Bench, plugged: dict[str, str], tiny: Path, tmp_path: Path
) -> None:
    done = bench("run", "--model", tiny, "--energy", "scripted", *QUICK, **plugged)
    assert "Traceback" not in done.stderr
    (row,) = records.read(tmp_path / "r.csv")
    assert row.energy_by == "scripted meter"
    assert row.energy_mj is not None
    assert row.energy_lo_mj is not None
    assert row.energy_hi_mj is not None
    assert 0 < row.energy_lo_mj <= row.energy_mj <= row.energy_hi_mj
    assert row.energy_idle_w is not None
    assert row.energy_idle_w >= 2.0
    launches = list(records.read_samples(tmp_path / "r.csv"))
    assert len(launches) == 2
    assert all(launch["energy"]["mj"] > 0 for launch in launches)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--energy", "missing"), "the cable is not in"),
        (("--energy", "nvml"), "NVML tells the energy of an NVIDIA GPU, and this runs on none"),
        (("--energy", "scripted", "--mode", "throughput"), "one inference at a time"),
        (("--energy", "scripted", "--backend", "fake"), "plays a script"),
    ],
)
def test_why_nothing_is_measured_is_in_the_row(
    bench: Bench, plugged: dict[str, str], tiny: Path, tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    bench("run", "--model", tiny, *words, *QUICK, **plugged)
    (row,) = records.read(tmp_path / "r.csv")
    assert row.status in ("ok", "noisy")
    assert row.energy_mj is None
    assert "energy is unmeasurable here: " in (row.remark or "")
    assert why in (row.remark or "")


def test_a_meter_that_is_none_is_told_before_anything_is_measured(
    bench: Bench, plugged: dict[str, str], tiny: Path, tmp_path: Path
) -> None:
    """It is asked where it would measure: there plug-ins are installed, in the interpreter that the target names."""
    for words in ((), ("--target", f"local:python={sys.executable}")):
        done = bench("run", "--model", tiny, "--energy", "scriptet", *QUICK, *words, **plugged)
        assert "there is no meter named 'scriptet'" in one_line_error(done)
        assert done.returncode == 2
        assert not (tmp_path / "r.csv").exists()
    done = bench("run", "--model", tiny, "--energy", "foo", *QUICK)
    assert "known: auto, ina3221, nvml, pmic, rapl" in one_line_error(done)


def test_who_does_not_ask_pays_nothing(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    bench("run", "--model", tiny, "--backend", "fake", *QUICK)
    (row,) = records.read(tmp_path / "r.csv")
    assert (row.energy_mj, row.energy_by, row.remark or "") == (None, None, "")
