"""What others published of devices, as typed records: devices, networks, times, sources, and times that are doubtful.

None of it was measured by this program: a row has no interval and no status. `bench.papers.devices` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fnmatch import fnmatchcase

UNITS = ("cpu", "gpu", "npu")
CORES = ("", "all", "little", "big")
CLASSES = ("small core", "big core", "desktop CPU", "server CPU", "GPU", "NPU")
CPU_CLASSES = ("", *CLASSES[:4])
STATISTICS = ("min", "mean", "throughput", "unknown")
MATCHES = ("", "same", "approximate")
COUNTED = ("", "printed", "param", "builder")


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


Networks = dict[tuple[str, str, int | None], DeviceNetwork]  # by table, name and resolution
DOUBT_KEYS = tuple(f.name for f in fields(DoubtfulRows))[1:-1]
