"""Latencies that others published, device by device, read without PyTorch.

The tables lie in ``models/published/devices/``: one ``TABLE.csv.gz`` per source, ``sources.csv`` (licence, statistic),
``devices.csv`` (what each device is), ``networks.csv`` (which spec of the zoo each name was found to be) and
``doubtful.csv`` (rows that cannot be relied on).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields, replace
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from bench.papers.device_records import (
    CORES,
    COUNTED,
    CPU_CLASSES,
    MATCHES,
    STATISTICS,
    UNITS,
    Device,
    DeviceNetwork,
    DeviceRow,
    DoubtfulRows,
    Networks,
    Source,
)
from bench.papers.published import call_ms
from bench.papers.tables import PrintedRow, TableError, read

SHORTEST_MS, LONGEST_MS = 1e-3, 1e6  # outside lies no inference of these networks, but another unit
SUFFIX = ".csv.gz"

DEVICE_COLUMNS = tuple(f.name for f in fields(Device))
NETWORK_COLUMNS = tuple(f.name for f in fields(DeviceNetwork))
ROW_COLUMNS = tuple(f.name for f in fields(DeviceRow) if f.name not in ("table", "doubt"))
SOURCE_COLUMNS = tuple(f.name for f in fields(Source))
DOUBT_COLUMNS = tuple(f.name for f in fields(DoubtfulRows))
# What tells a cell of a table from every other; two that agree in it are one printed twice.
CELL = ("device", "run", "unit", "threads", "cores", "runtime", "precision", "mode", "network", "resolution", "batch")


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
