"""Published rows, gathered into settings: one device, one unit, threads, runtime, precision, with a time per network.

Doubtful rows, batches and calls that overlap (``async``) stay out; everything here is of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

from bench.base.errors import UnknownName, UsageError
from bench.base.words import counted
from bench.papers import devices as published
from bench.papers.device_records import CLASSES, Device, DeviceNetwork, DeviceRow, Networks
from bench.plan.zoo import canonical

Known = tuple[str, int]  # a network of the zoo: its canonical spec, and the resolution it is fed
OVERLAPPING = "async"


@dataclass(frozen=True)
class Setting:
    """Networks in the same conditions. ``kind`` is the class of what ran them, one of `CLASSES`.

    ``times`` has the published latency in ms of each network that the source names.
    """

    table: str
    device: Device
    kind: str
    run: str
    unit: str
    threads: int | None
    cores: str
    runtime: str
    precision: str
    mode: str
    times: dict[DeviceNetwork, float]

    @property
    def name(self) -> str:
        """What a person calls it: the device, then what it ran with."""
        threads = counted(self.threads, "thread") if self.threads else ""
        cores = f"{self.cores} cores" if self.cores in ("little", "big") else ""
        parts = (self.device.device, "" if self.unit == "cpu" else self.unit.upper(), threads, cores, self.runtime,
                 self.precision, self.mode, f"run {self.run}" if self.run else "")  # fmt: skip
        return ", ".join(part for part in parts if part)

    def networks(self, mobile: bool) -> dict[Known, tuple[DeviceNetwork, float]]:
        """Return the networks that were found to be a spec of the zoo, or nearly one, with their latency in ms.

        Where a source has several of one spec (the same network of several frameworks), their median counts, of those
        that are the same if any is.
        """
        found: dict[Known, list[tuple[DeviceNetwork, float]]] = {}
        for network, ms in self.times.items():
            if network.model and network.resolution and (network.mobile or not mobile):
                found.setdefault((canonical(network.model), network.resolution), []).append((network, ms))
        best = {}
        for known, several in found.items():
            same = [one for one in several if one[0].match == "same"] or several
            best[known] = (same[0][0], median(ms for _, ms in same))
        return best


@cache
def settings() -> tuple[Setting, ...]:
    """Every setting of the published tables, in their order."""
    return gather(published.rows(), published.devices(), published.networks())


def gather(rows: Iterable[DeviceRow], devices: dict[str, Device], networks: Networks) -> tuple[Setting, ...]:
    """Put the rows that can be relied on into settings."""
    found: dict[tuple[object, ...], Setting] = {}
    for row in rows:
        if row.doubt or row.batch != 1 or row.mode.startswith(OVERLAPPING):
            continue
        key = (row.table, row.device, row.run, row.unit, row.threads, row.cores, row.runtime, row.precision, row.mode)
        # A source's 8-bit twins (`mobilenet_int8`) are a setting of their own by their precision.
        if key not in found:
            device = devices[row.device]
            found[key] = Setting(
                row.table, device, kind_of(row, device), row.run, row.unit, row.threads, row.cores, row.runtime,
                row.precision, row.mode, {},
            )  # fmt: skip
        found[key].times[networks[row.table, row.network, row.resolution]] = row.latency_ms
    return tuple(found.values())


def kind_of(row: DeviceRow, device: Device) -> str:
    """Return the class of what ran a row: of a CPU, that of the cores it was allowed."""
    if row.unit != "cpu":
        return row.unit.upper()
    return device.little if row.cores == "little" and device.little else device.core


def select(
    found: Sequence[Setting],
    kinds: Sequence[str] = (),
    runtime: str = "",
    threads: int | None = None,
    device: str = "",
) -> tuple[Setting, ...]:
    """Keep settings of these classes, of a runtime, thread number and device whose names hold the text given.

    Raises:
        UnknownName: a class is none of `CLASSES`, in whatever case.
        UsageError: nothing is left.
    """
    by_name = {kind.lower(): kind for kind in CLASSES}
    for kind in kinds:
        if kind.lower() not in by_name:
            raise UnknownName("class", kind, CLASSES)
    kinds = [by_name[kind.lower()] for kind in kinds]
    left = tuple(
        s
        for s in found
        if (not kinds or s.kind in kinds)
        and runtime.lower() in s.runtime.lower()
        and (threads is None or s.threads == threads)
        and device.lower() in s.device.device.lower()
    )
    if not left:
        raise UsageError("no published setting is like that", "`bench devices` lists them all")
    return left
