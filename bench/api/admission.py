"""What a row must be to stand among the devices that others measured: rule by rule, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from bench import backends
from bench.artifact.known import known
from bench.base.errors import BenchError, clip
from bench.measure.cases import case_of_row
from bench.plan.case import Case
from bench.plan.target import Target
from bench.rows.dates import EARLIEST
from bench.rows.schema import COLUMNS, NOTHING, Row
from bench.rows.seal import SEAL, seal

# What each row must say. Named one by one, not taken from the roles: a column that is added to the schema one day must
# not make the contributions wrong that are there by then.
NEEDED = (
    "run_id", "case_id", "started_at", "status", "model", "backend", "backend_version", "device", "precision",
    "precision_effective", "threads", "threads_effective", "batch", "resolution", "target", "arch", "cpu",
    "microarchitecture", "cpu_id", "cores", "os", "macs", "flops", "params", "latency_ms", "latency_lo_ms",
    "latency_hi_ms", "p50_ms", "min_ms", "gmacs_per_s", "samples", "launches", "parity_rel_l2", "artifact_sha256",
    "exporter", "seed", "isoflops_version", "schema_version",
)  # fmt: skip
FASTEST_MS, SLOWEST_MS = 0.001, 600_000.0  # a network of millions of MACs takes longer, and nobody waits ten minutes
MOST_GMACS_PER_S = 1e6
NEAR = 3.0  # the latency is told for the baseline speed, the median for that of the moment: no machine is so uneven
# The beginning of an absolute path, of a home or of a share; or a user at a host.
PRIVATE = re.compile(r"(?:^|[\s\"'=:(,;])(?:/\w|~\w*/|[A-Za-z]:[\\/]|\\\\\w)[^\s\"'),;]*|[\w.-]+@[\w-][\w.-]*")


def lacking(names: Collection[str]) -> str:
    """Say what is wrong with a table's columns; nothing if they are those of rows."""
    for name in NEEDED:
        if name not in names:
            other = next((n for n in names if n not in COLUMNS and _stem(n) == _stem(name)), "")
            unit = f": {clip(other)} is in another unit" if other else ""
            return f"the column {name} is missing{unit}"
    foreign = [name for name in names if name not in COLUMNS and name != SEAL]
    return f"there is no column {clip(foreign[0])} in a result row" if foreign else ""


def _stem(name: str) -> str:
    return name.rpartition("_")[0] or name


def fault(cells: Mapping[str, str], row: Row) -> str:
    """Say why a row cannot be taken; nothing if it can. `cells` are its texts as they stand in the table."""
    if SEAL in cells and cells[SEAL] != seal(cells):
        return "it was edited after `bench devices add`: row_sha256 is not the hash of its cells"
    if row.status != "ok":
        return f"its status is {row.status}, and only ok rows are taken"
    empty = [name for name in NEEDED if cells[name] in (*NOTHING, "unknown")]
    if empty:
        return f"{empty[0]} is empty"
    told = [name for name, cell in cells.items() if PRIVATE.search(cell)]
    if told:
        return f"{told[0]} holds a path or an address of the machine that measured"
    return _of_numbers(row) or _of_date(row) or _of_case(row)


def case_of(row: Row) -> Case:
    """Return the case that a row is of, without asking what is installed here; raises what resolving it raises."""
    return case_of_row(row, Target(row.target, reach="dask"))


def _of_case(row: Row) -> str:
    try:
        case = case_of(row)
        scripted = backends.get(case.backend.name).capabilities.scripted
    except BenchError as error:
        return error.message
    if scripted:
        return f"the backend {case.backend.name} plays a script, and measures nothing"
    if case.model.kind != "zoo":
        return f"{clip(row.model)} is no network of the zoo, and nobody else can run it"
    if case.id != row.case_id:
        return "case_id is not the hash of its case: model, backend, settings or target were edited"
    hashes = known().get((str(case.network), row.seed or 0), {})
    if not hashes:
        return f"no hash is known of {case.network} with seed {row.seed}: `bench run --suite devices` has what is taken"
    if row.artifact_sha256 not in hashes:
        return (
            f"its file {clip(row.artifact_sha256 or '')[:8]} (by {clip(row.exporter or '')}) is not the zoo's "
            f"{case.network}: {'; '.join(f'{digest[:8]} by {by}' for digest, by in hashes.items())}"
        )
    return ""


def _of_numbers(row: Row) -> str:
    """Hold columns against each other: what was edited by hand, or is in another unit, does not fit the rest."""
    latency, lo, hi = row.latency_ms or 0.0, row.latency_lo_ms or 0.0, row.latency_hi_ms or 0.0
    p50, least, macs, rate = row.p50_ms or 0.0, row.min_ms or 0.0, row.macs or 0, row.gmacs_per_s or 0.0
    if not FASTEST_MS <= latency <= SLOWEST_MS or not 0 < rate <= MOST_GMACS_PER_S:
        return f"latency_ms {latency:g} with {rate:g} GMACs/s is no latency of such a network; is it in ms?"
    if not p50 / NEAR <= latency <= p50 * NEAR:
        return f"latency_ms {latency:g} is far from its median, p50_ms {p50:g}; are both in ms?"
    if not lo <= latency <= hi:
        return f"latency_ms {latency:g} is outside its own interval, {lo:g} to {hi:g}"
    if least > p50:
        return f"min_ms {least:g} is above p50_ms {p50:g}"
    if row.flops != 2 * macs or abs(macs / latency / 1e6 / rate - 1) > 1e-3:
        return f"macs {macs}, latency_ms {latency:g} and gmacs_per_s {rate:g} do not belong together"
    return "the CPU was emulated" if row.emulated else ""


def _of_date(row: Row) -> str:
    try:
        when = datetime.fromisoformat(row.started_at)
    except ValueError:
        return f"started_at {clip(row.started_at)} is no date"
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return "" if when >= EARLIEST else f"started_at {clip(row.started_at)} is before this program"
