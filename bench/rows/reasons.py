"""Why rows are not ``ok``, in words: what several of them share is said once."""

from __future__ import annotations

from collections.abc import Sequence

from bench.base.words import counted
from bench.rows import identity
from bench.rows.cells import cell
from bench.rows.schema import Row

NAMED = 2  # rows of one reason that have a line each; of more their number is told


def reasons(rows: Sequence[Row]) -> list[str]:
    """Say in a line each why rows are not ``ok``, and what else must be known of them."""
    named = names(rows)
    alike: dict[tuple[str, str], list[int]] = {}
    for i, row in enumerate(rows):
        if row.status != "ok":
            alike.setdefault((row.status, row.error or ""), []).append(i)
    for i, row in enumerate(rows):
        if row.remark:
            alike.setdefault(("remark", row.remark), []).append(i)
    return [
        f"{what}: {name}: {reason}"
        for (what, reason), those in alike.items()
        for name in ([named[i] for i in those] if len(those) <= NAMED else [_together([rows[i] for i in those])])
    ]


def _together(rows: Sequence[Row]) -> str:
    """Say how many rows there are: of networks, where they differ in nothing else."""
    networks = {tuple(getattr(row, name) for name in identity.NETWORK) for row in rows}
    backends = {row.backend for row in rows}
    on = f" on {backends.pop()}" if len(backends) == 1 else ""
    return f"{counted(len(rows), 'network' if len(networks) == len(rows) else 'case')}{on}"


def names(rows: Sequence[Row]) -> list[str]:
    """Name rows by model and backend, and by whatever else those of one model and backend differ in."""
    alike: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        alike.setdefault((row.model, row.backend), []).append(row)
    apart = [name for name in identity.case() if name not in ("model", "backend", identity.ASKED)]
    found = []
    for row in rows:
        some = alike[row.model, row.backend]
        differ = [name for name in apart if len({getattr(one, name) for one in some}) > 1]
        told = ", ".join(identity.told(name, cell(getattr(row, name))) for name in differ)
        found.append(f"{row.model} on {row.backend}" + (f" ({told})" if told else ""))
    return found
