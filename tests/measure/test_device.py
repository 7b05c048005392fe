"""What a device tells beside the blocks: its own clock and throttling count, the host's cores do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from bench.machine.baseline import BaselineSpeed
from bench.measure.device import columns, restless
from bench.measure.energy import per_inference_mj
from bench.measure.evidence import fault, weigh
from tests.measure.test_evidence import BASELINE, block

DRIFTING = (1980, 1965, 1950, 1700)


def on_gpu(clock: int = 1980, reasons: int = 0, share: float = 0.2, **more: Any) -> Any:
    readings = [{"sm_mhz": 345, "reasons": 1}, {"sm_mhz": clock, "reasons": reasons}]
    return block(share=share, **more) | {"device": readings}


def test_a_device_that_keeps_its_clock_is_calm() -> None:
    blocks = [on_gpu(clock) for clock in (1980, 1965, 1980)]
    assert restless(blocks) == ""
    assert columns(blocks) == {"device_mhz": 1980, "throttle": None}


def test_a_clock_that_drifts_is_told_with_its_ends() -> None:
    said = restless([on_gpu(clock) for clock in DRIFTING])
    assert said.startswith("the device's clock moved from 1700 to 1980 MHz")
    assert restless([on_gpu(clock) for clock in DRIFTING[:3]]) == ""


def test_throttling_is_named_and_its_blocks_do_not_count() -> None:
    blocks = [on_gpu(), on_gpu(reasons=0x40), on_gpu(reasons=0x4), on_gpu()]
    assert restless(blocks).startswith("the device was slowed in 2 of 4 blocks (hardware thermal slowdown, power cap)")
    assert columns(blocks)["throttle"] == "hardware thermal slowdown, power cap"
    assert weigh([blocks, blocks], BASELINE).aside == {"throttled": 4}


def test_a_cpu_that_was_slowed_is_noisy_and_its_blocks_do_not_count() -> None:
    hot = block() | {"slowed": ["cooled by thermal-cpufreq-0"]}
    blocks = [block(), hot, block(), block()]
    assert restless(blocks).startswith("the CPU was slowed in 1 of 4 blocks (cooled by thermal-cpufreq-0); let it cool")
    assert columns(blocks) == {"device_mhz": None, "throttle": "cooled by thermal-cpufreq-0"}
    assert weigh([blocks, blocks], BASELINE).aside == {"throttled": 2}


def test_where_nothing_tells_nothing_is_told() -> None:
    for quiet in ([block()], [block() | {"device": [{}, {}]}]):
        assert restless(quiet) == ""
        assert columns(quiet) == {"device_mhz": None, "throttle": None}


def test_the_speed_of_the_hosts_cores_is_not_the_devices() -> None:
    """A core at 90% and a crowded cache: a latency of the CPU is told for the baseline, one of the device is not."""
    beside = {"gemm": 1100.0, "copy": 160000.0}
    found = weigh([[on_gpu(**beside)] * 2] * 2, BASELINE)
    assert found.offsets == [(0.0, 0.0)] * 2
    assert (found.aside, found.crowded) == ({}, 0.0)
    on_cpu = weigh([[block(gemm=1100.0)] * 2] * 2, BASELINE)
    assert on_cpu.offsets[0][0] == pytest.approx(math.log(1.1))


def test_a_core_that_is_taken_away_still_delays_launches() -> None:
    known = BaselineSpeed(1000.0, 50000.0)
    assert fault(on_gpu(steal_ms=10), known, None, 1) == "stolen"
    assert fault(on_gpu(gemm=1400.0), known, None, 1) == "slow"
    assert fault(on_gpu(), known, None, 1) == ""


class Meter:
    """A device that draws `watts` and counts in steps of 100 ms, and an inference of `ms` on its clock."""

    def __init__(self, watts: float, ms: float, wraps_at: float = math.inf, still: bool = False) -> None:
        self.now_ns, self.watts, self.ms, self.wraps_at, self.still = 0, watts, ms, wraps_at, still

    def infer(self) -> None:
        self.now_ns += round(self.ms * 1e6)

    def clock(self) -> int:
        return self.now_ns

    def total_mj(self) -> int | None:
        seconds = 0.0 if self.still else self.now_ns // 100_000_000 / 10
        return round(self.watts * 1000 * seconds % self.wraps_at)

    def read(self) -> float | None:
        return per_inference_mj(self.infer, self.total_mj, self.clock)


@pytest.mark.parametrize(("watts", "ms"), [(300.0, 0.8), (700.0, 30.0), (50.0, 0.01)])
def test_energy_is_power_times_latency(watts: float, ms: float) -> None:
    assert Meter(watts, ms).read() == pytest.approx(watts * ms, rel=0.03)


def test_a_total_that_wraps_or_stands_still_tells_nothing() -> None:
    assert Meter(300.0, 1.0, wraps_at=310_000).read() is None
    assert Meter(300.0, 1.0, still=True).read() is None


@pytest.mark.parametrize("told", [[None], [5, None]])
def test_a_device_that_does_not_count_tells_nothing(told: Sequence[int | None]) -> None:
    left, meter = list(told), Meter(1.0, 10.0)
    found = per_inference_mj(meter.infer, lambda: left.pop(0) if len(left) > 1 else left[0], meter.clock)
    assert found is None
