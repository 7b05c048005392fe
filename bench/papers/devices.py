"""Latencies that others published, device by device, as typed records read without PyTorch.

The tables lie in ``models/published/devices/``: one ``TABLE.csv.gz`` per source, ``sources.csv`` (licence, statistic),
``devices.csv`` (what each device is), ``networks.csv`` (which spec of the zoo each name was found to be) and
``doubtful.csv`` (rows that cannot be relied on). None of it was measured by this program: a row has no interval and no
status.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from bench.papers.published import call_ms
from bench.papers.tables import PrintedRow, TableError, read

UNITS = ("cpu", "gpu", "npu")
CORES = ("", "all", "little", "big")
CLASSES = ("small core", "big core", "desktop CPU", "server CPU", "GPU", "NPU")
CPU_CLASSES = ("", *CLASSES[:4])
STATISTICS = ("min", "mean", "throughput", "unknown")
MATCHES = ("", "same", "approximate")
COUNTED = ("", "printed", "param", "builder")
SHORTEST_MS, LONGEST_MS = 1e-3, 1e6  # outside lies no inference of these networks, but another unit
SUFFIX = ".csv.gz"


@dataclass(frozen=True, slots=True)
class Device:
    """A machine as a source names it; ``chip`` is the same for two that are built on the same.

    ``core`` is the class of its CPU's fastest cores, ``little`` that of its slowest where they differ (both empty: only
    a GPU or an NPU was timed), ``cores`` how many it has (None: not known). All of this is ours, the name is theirs.
    """

    device: str
    chip: str
    maker: str
    isa: str
    core: str
    little: str
    cores: int | None


@dataclass(frozen=True, slots=True)
class DeviceNetwork:
    """A network as a source names it at a resolution (None: not told), and the spec of the zoo that it was found to be.

    ``match`` is ``same`` where the MACs of the source (``macs_m``, millions; ``counted``: as it prints them, or counted
    from its graph or its builder) are within 5% of the zoo's, or within their rounding; ``approximate`` where they are
    not (such a one is ranked by its own MACs, and told); empty, as ``model``, where the zoo has none or the source does
    not tell. ``mobile``: made for phones.
    ``zoo_macs_m`` and ``zoo_params_m`` are in millions, ``zoo_access_mb`` in millions of bytes.
    """

    table: str
    network: str
    resolution: int | None
    model: str
    match: str
    mobile: bool
    macs_m: float | None
    params_m: float | None
    counted: str
    zoo_macs_m: float | None
    zoo_params_m: float | None
    zoo_access_mb: float | None
    note: str

    @property
    def macs(self) -> float | None:
        """Millions of MACs: the zoo's where it is the same network, else the source's."""
        return self.zoo_macs_m if self.match == "same" else self.macs_m

    @property
    def params(self) -> float | None:
        """Millions of parameters, likewise."""
        return self.zoo_params_m if self.match == "same" else self.params_m or self.zoo_params_m


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One published time. ``latency_ms`` is that of one call on ``batch`` images, in ms, of the kind ``statistic``.

    ``value`` in ``value_unit`` is what the source prints; ``mean_ms`` its mean where ``latency_ms`` is the least.
    ``cores`` says which cores were allowed, ``mode`` what else the source tells. ``layers`` are those of the compiled
    network, with how many of them ran on each unit. Empty and None: the source does not say.
    ``doubt`` is why the row cannot be relied on (empty: no reason known).
    """

    table: str
    device: str
    run: str
    unit: str
    threads: int | None
    cores: str
    runtime: str
    precision: str
    mode: str
    network: str
    resolution: int | None
    batch: int
    value: float
    value_unit: str
    statistic: str
    latency_ms: float
    mean_ms: float | None
    layers: int | None
    layers_npu: int | None
    layers_gpu: int | None
    layers_cpu: int | None
    line: int | None
    source: str
    commit: str
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table comes from, its licence, and which statistic it prints."""

    table: str
    title: str
    licence: str
    url: str
    statistic: str


@dataclass(frozen=True, slots=True)
class DoubtfulRows:
    """Rows that cannot be relied on: all that match every cell that is not empty (``*`` stands for anything)."""

    table: str
    device: str
    run: str
    unit: str
    runtime: str
    network: str
    precision: str
    mode: str
    finding: str

    def meets(self, row: DeviceRow) -> bool:
        """Tell whether a row is one of them."""
        return row.table == self.table and all(
            fnmatchcase(getattr(row, name), pattern) for name in DOUBT_KEYS if (pattern := getattr(self, name))
        )


DEVICE_COLUMNS = tuple(f.name for f in fields(Device))
NETWORK_COLUMNS = tuple(f.name for f in fields(DeviceNetwork))
ROW_COLUMNS = tuple(f.name for f in fields(DeviceRow) if f.name not in ("table", "doubt"))
SOURCE_COLUMNS = tuple(f.name for f in fields(Source))
DOUBT_COLUMNS = tuple(f.name for f in fields(DoubtfulRows))
DOUBT_KEYS = DOUBT_COLUMNS[1:-1]
# What tells a cell of a table from every other; two that agree in it are one printed twice.
CELL = ("device", "run", "unit", "threads", "cores", "runtime", "precision", "mode", "network", "resolution", "batch")
Networks = dict[tuple[str, str, int | None], DeviceNetwork]


@cache
def devices() -> dict[str, Device]:
    """Every device by its name in the tables."""
    return read_devices(_folder().joinpath("devices.csv"))


@cache
def networks() -> Networks:
    """Every network by table, name and resolution."""
    return read_networks(_folder().joinpath("networks.csv"))


@cache
def sources() -> dict[str, Source]:
    """Every source by the name of its table."""
    table = _folder().joinpath("sources.csv")
    found = (Source(*(row.required(c) for c in SOURCE_COLUMNS)) for row in read(table, SOURCE_COLUMNS))
    return {source.table: source for source in found}


@cache
def doubtful() -> tuple[DoubtfulRows, ...]:
    """What is known to be unreliable, in the file's order."""
    table = _folder().joinpath("doubtful.csv")
    return tuple(DoubtfulRows(*(row.text(c) for c in DOUBT_COLUMNS)) for row in read(table, DOUBT_COLUMNS))


@cache
def rows() -> tuple[DeviceRow, ...]:
    """Every row of every table, by source and then as the file has them; doubtful ones say so."""
    return tuple(
        row
        for name in sources()
        for row in read_rows(_folder().joinpath(name + SUFFIX), devices(), networks(), doubtful())
    )


def read_devices(table: Traversable) -> dict[str, Device]:
    """Read a table of devices; TableError names file, line and cell, or the device that is there twice."""
    found: dict[str, Device] = {}
    for row in read(table, DEVICE_COLUMNS):
        name = row.required("device")
        if name in found:
            row.fail("device", f"{name!r} is there twice")
        found[name] = Device(
            device=name,
            chip=row.required("chip"),
            maker=row.required("maker"),
            isa=row.text("isa"),
            core=row.one_of("core", CPU_CLASSES),
            little=row.one_of("little", CPU_CLASSES),
            cores=_whole(row, "cores"),
        )
    return found


def read_networks(table: Traversable) -> Networks:
    """Read a table of networks; TableError names file, line and cell, or the network that is there twice."""
    found: Networks = {}
    for row in read(table, NETWORK_COLUMNS):
        network = DeviceNetwork(
            table=row.required("table"),
            network=row.required("network"),
            resolution=_whole(row, "resolution"),
            model=row.text("model"),
            match=row.one_of("match", MATCHES),
            mobile=row.one_of("mobile", ("", "yes")) == "yes",
            macs_m=_number(row, "macs_m"),
            params_m=_number(row, "params_m"),
            counted=row.one_of("counted", COUNTED),
            zoo_macs_m=_number(row, "zoo_macs_m"),
            zoo_params_m=_number(row, "zoo_params_m"),
            zoo_access_mb=_number(row, "zoo_access_mb"),
            note=row.text("note"),
        )
        if (network.model != "") != (network.match != ""):
            row.fail("match", "a model that was compared says same or approximate; one that was not has no model")
        if network.model and network.macs_m is None:
            row.fail("macs_m", "nothing was compared: without the source's MACs a name is no network of the zoo")
        key = (network.table, network.network, network.resolution)
        if key in found:
            row.fail("network", f"{network.network!r} is there twice")
        found[key] = network
    return found


def read_rows(
    table: Traversable,
    devices: dict[str, Device],
    networks: Networks,
    doubtful: Iterable[DoubtfulRows] = (),
) -> tuple[DeviceRow, ...]:
    """Read a table of latencies of known devices and networks.

    Raises:
        TableError: a column is missing, a cell does not read, a latency does not follow from what is printed or is
            absurd, a device or network is not known, or a cell is there twice.
    """
    name = table.name.removesuffix(SUFFIX)
    patterns = [one for one in doubtful if one.table == name]
    found: list[DeviceRow] = []
    seen: set[tuple[object, ...]] = set()
    for printed in read(table, ROW_COLUMNS):
        row = _row(printed, name)
        if row.device not in devices:
            printed.fail("device", f"{row.device!r} is not in devices.csv: say there what it is")
        if (name, row.network, row.resolution) not in networks:
            printed.fail("network", f"{row.network!r} at {row.resolution} pixels is not in networks.csv: map it there")
        cell = tuple(getattr(row, column) for column in CELL)
        if cell in seen:
            printed.fail("network", f"{row.network!r} is there twice in one setting of {row.device!r}")
        seen.add(cell)
        doubt = next((one.finding for one in patterns if one.meets(row)), "")
        found.append(replace(row, doubt=doubt) if doubt else row)
    if not found:
        raise TableError(f"{table.name} has no rows")
    return tuple(found)


def _row(row: PrintedRow, table: str) -> DeviceRow:
    batch = row.whole("batch")
    unit = row.one_of("value_unit", ("ms", "images/s"))
    value = row.number("value")
    latency_ms = row.number("latency_ms", SHORTEST_MS, LONGEST_MS)
    derived = call_ms(value, unit, batch)
    if not math.isclose(latency_ms, derived, rel_tol=1e-3):
        row.fail("latency_ms", f"{latency_ms:g} does not follow from {value:g} {unit} at batch {batch}: {derived:.6g}")
    return DeviceRow(
        table=table,
        device=row.required("device"),
        run=row.text("run"),
        unit=row.one_of("unit", UNITS),
        threads=_whole(row, "threads"),
        cores=row.one_of("cores", CORES),
        runtime=row.required("runtime"),
        precision=row.text("precision"),
        mode=row.text("mode"),
        network=row.required("network"),
        resolution=_whole(row, "resolution"),
        batch=batch,
        value=value,
        value_unit=unit,
        statistic=row.one_of("statistic", STATISTICS),
        latency_ms=latency_ms,
        mean_ms=row.number("mean_ms", SHORTEST_MS, LONGEST_MS) if row.text("mean_ms") else None,
        layers=_whole(row, "layers"),
        layers_npu=_whole(row, "layers_npu"),
        layers_gpu=_whole(row, "layers_gpu"),
        layers_cpu=_whole(row, "layers_cpu"),
        line=_whole(row, "line"),
        source=row.required("source"),
        commit=row.required("commit"),
    )


def _whole(row: PrintedRow, column: str) -> int | None:
    return row.whole(column) if row.text(column) else None


def _number(row: PrintedRow, column: str) -> float | None:
    return row.number(column) if row.text(column) else None


def _folder() -> Traversable:
    return files("bench.models").joinpath("published", "devices")
