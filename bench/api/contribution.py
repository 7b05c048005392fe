"""A device that somebody measured, as a file of ``results/devices/``: made of rows, checked with nothing but itself.

What is true of each row is `bench.api.admission`'s; here is what is true of the file, and of files beside each other.
"""

from __future__ import annotations

import csv
import getpass
import io
import re
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.api.admission import PRIVATE, case_of, fault, lacking
from bench.base.errors import OutputError, UsageError, clip
from bench.base.files import write_whole
from bench.base.words import counted
from bench.rows import identity, table
from bench.rows.cells import row_of
from bench.rows.schema import COLUMNS
from bench.rows.seal import SEAL, seal

LARGEST, MOST_ROWS = 256 << 10, 300  # bytes; what several runtimes and numbers of threads need, and no more
NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")
# Of these a file has one value each: it is one machine's, by one program.
ONE = {"isoflops_version": "programs", "schema_version": "schemas", "arch": "machines", "cpu": "machines",
       "cpu_id": "machines", "target": "targets"}  # fmt: skip
FREE = ("os", "remark")  # texts that may name the machine, or who sits at it
SHORTEST, COMMON = 3, ("root", "user", "users", "home", "local", "localhost", "debian", "ubuntu", "linux")

Cells = dict[str, str]


@dataclass(frozen=True)
class Device:
    """A contribution that nothing is wrong with: its rows, as cells by column."""

    name: str
    rows: tuple[Cells, ...]

    @property
    def machine(self) -> str:
        """The CPU's name and identity."""
        return identity.machine_name(self.rows[0])

    @property
    def jobs(self) -> set[tuple[str, ...]]:
        """The runs, each on its CPU, of which another file must have none."""
        return {tuple(cells[name] for name in (identity.RUN_ID, *identity.cpu())) for cells in self.rows}


@dataclass(frozen=True)
class Checked:
    """A file, and what is wrong with it, a line each; where nothing is, the device that it is."""

    path: Path
    device: Device | None
    wrong: tuple[str, ...] = ()


def check(paths: Iterable[Path]) -> list[Checked]:
    """Read contributions and hold them against each other: a run is in one file."""
    found, first = [], dict[tuple[str, ...], Path]()
    for path in paths:
        one = _read(path)
        twice = [job for job in sorted(one.device.jobs) if job in first] if one.device else []
        if twice:
            there = f"this device is there already: {first[twice[0]].name} has the same run {clip(twice[0][0])}"
            one = Checked(path, None, (there,))
        first |= dict.fromkeys(one.device.jobs, path) if one.device else {}
        found.append(one)
    return found


def files(folder: Path) -> list[Path]:
    """Return what is in a folder of contributions and is to be checked: all but its README.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {clip(str(folder))}", "name a folder of contributions, or its files")
    return sorted(path for path in folder.iterdir() if path.name != "README.md")


def prepare(source: Path, name: str, folder: Path) -> tuple[Path, Device, list[str]]:
    """Write rows as a contribution, ``FOLDER/NAME.csv``; return its path, the device, and what was left out, in lines.

    Rows that are not ok are left out, and all but the newest of a case. Each row gets the device's name for its target,
    loses what names a host, a user or a path, and is sealed. Without a `name` it is made of the CPU's.

    Raises:
        OutputError: something of it cannot be taken; then nothing is written.
        UsageError: the name is none.
    """
    if name and not NAME.fullmatch(name):
        raise UsageError(
            f"--name {clip(name)} is no name of a device", "2 to 40 small letters, digits and hyphens, as pixel-8-pro"
        )
    found, wrong = _parse(table.content(source))
    rows, left_out = _ok(found)
    kept = [(line, _anonymous(cells)) for line, cells in rows]
    wrong = wrong or _faults(kept) or _alike([cells for _, cells in kept], "")
    if wrong or not kept:
        more = f"; and {len(wrong) - 1} lines more" if len(wrong) > 1 else ""
        told = wrong[0] + more if wrong else "it holds no ok rows"
        raise OutputError(f"{source}: {told}", "nothing was added; `bench run --suite devices` measures what is taken")
    newest, older = _newest([cells for _, cells in kept])
    name = name or re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", newest[0]["cpu"].lower())).strip("-")[:40]
    path = folder / f"{name}.csv"
    if path.exists():
        raise OutputError(f"{path} is there already", "give another device another --name, or take that file away")
    data = _written([_sealed(cells, name) for cells in newest])
    made = _judged(path, data)
    if made.device is None:
        raise OutputError(f"{source}: {made.wrong[0]}", "nothing was added")
    there = [one for one in check(files(folder)) if one.device] if folder.is_dir() else []
    twice = [one.path for one in there if one.device and one.device.jobs & made.device.jobs]
    if twice:
        raise OutputError(f"{source}: this device is there already, as {twice[0]}", "nothing was added")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
    return path, made.device, [*left_out, *older]


def _read(path: Path) -> Checked:
    try:
        return _judged(path, path.read_bytes())
    except OSError as error:
        return Checked(path, None, (f"it cannot be read: {error.strerror}",))


def _judged(path: Path, data: bytes) -> Checked:
    """Say what is wrong with the content of a contribution: of its table, then of each row, then of all together."""
    name = path.name.removesuffix(".csv")
    if path.suffix != ".csv" or not NAME.fullmatch(name):
        return Checked(path, None, ("its name is not NAME.csv, of 2 to 40 small letters, digits and hyphens",))
    rows, wrong = _parse(data)
    if rows and SEAL not in rows[0][1]:
        wrong = [f"the column {SEAL} is missing: `bench devices add` makes such files"]
    cells = tuple(cells for _, cells in rows)
    wrong = wrong or _faults(rows) or _alike(cells, name)
    return Checked(path, None if wrong else Device(name, cells), tuple(wrong))


def _parse(data: bytes) -> tuple[list[tuple[int, Cells]], list[str]]:
    """Return the rows of a table, each with its line, and what is wrong with the table."""
    if len(data) > LARGEST:
        return [], [f"it has {len(data)} bytes, and {LARGEST} are taken"]
    found = table.parse(data)
    names = _header(data) if found is None else found.names
    wrong = lacking(names)
    if wrong or found is None:
        return [], [wrong or "it holds no result rows"]
    if found.left_out:
        return [], [f"line {line}: {reason}" for line, reason in found.left_out]
    if not 0 < len(found.rows) <= MOST_ROWS:
        return [], [f"it has {counted(len(found.rows), 'row')}, and 1 to {MOST_ROWS} are taken"]
    return [(line, dict(zip(found.names, cells, strict=True))) for line, cells in found.rows], []


def _header(data: bytes) -> tuple[str, ...]:
    """Read the first line of what is no table of rows, to say which column it lacks."""
    first = data.partition(b"\n")[0].decode("utf-8", "replace")
    with suppress(csv.Error):
        return tuple(next(csv.reader([first.strip()]), ()))
    return ()


def _faults(rows: Iterable[tuple[int, Cells]]) -> list[str]:
    found = ((line, fault(cells, row_of(cells))) for line, cells in rows)
    return [f"line {line}: {reason}" for line, reason in found if reason]


def _alike(rows: Sequence[Cells], name: str) -> list[str]:
    """Say where rows do not belong together; with a `name` also where they are not that file's."""
    for column, what in ONE.items():
        values = list(dict.fromkeys(cells[column] for cells in rows))
        if len(values) > 1:
            return [f"its rows are of {len(values)} {what} ({column} {clip(values[0], 40)} and {clip(values[1], 40)})"]
    if not name:
        return []
    if rows[0]["target"] != name:
        return [f"its rows are of the target {clip(rows[0]['target'])}, and the file is called {name}"]
    cases = [cells["case_id"] for cells in rows]
    twice = next((cells for i, cells in enumerate(rows) if cells["case_id"] in cases[:i]), None)
    return [f"{identity.label(twice)} stands there twice"] if twice else []


def _ok(rows: Sequence[tuple[int, Cells]]) -> tuple[list[tuple[int, Cells]], list[str]]:
    kept = [(line, cells) for line, cells in rows if cells["status"] == "ok"]
    less = len(rows) - len(kept)
    return kept, [f"left out: {less} of {counted(len(rows), 'row')}, not being ok"] if less else []


def _newest(rows: Sequence[Cells]) -> tuple[list[Cells], list[str]]:
    newest: dict[str, Cells] = {}
    for cells in rows:
        if cells["started_at"] >= newest.get(cells["case_id"], cells)["started_at"]:
            newest[cells["case_id"]] = cells
    less = len(rows) - len(newest)
    told = f"left out: {counted(less, 'row')} of cases that were measured again later"
    return list(newest.values()), [told] if less else []


def _anonymous(cells: Cells) -> Cells:
    """Take host, user and paths out of what a row tells in free words."""
    names = "|".join(re.escape(name) for name in _names_here())
    here = re.compile(rf"(?<!\w)(?:{names})(?!\w)", re.IGNORECASE) if names else None
    found = dict(cells)
    for column in FREE:
        text = PRIVATE.sub(" (left out)", cells.get(column, ""))
        found[column] = here.sub("(left out)", text) if here else text
    return {name: cell for name, cell in found.items() if name in cells}


def _names_here() -> list[str]:
    """Return what this machine and who sits at it are called, unless many are."""
    names = {socket.gethostname(), socket.gethostname().partition(".")[0]}
    with suppress(KeyError, OSError):  # a user without a name
        names |= {getpass.getuser(), Path.home().name}
    return sorted(name for name in names if len(name) >= SHORTEST and name.lower() not in COMMON)


def _sealed(cells: Cells, name: str) -> Cells:
    """Give a row the device's name for its target, and a seal."""
    case = replace(case_of(row_of(cells)), target=name)
    named = cells | {"target": name, "case_id": case.id}
    return named | {SEAL: seal(named)}


def _written(rows: Sequence[Cells]) -> bytes:
    """Write rows as this program does: its columns in their order, as far as the rows have them."""
    names = [name for name in COLUMNS if name in rows[0]]
    names.insert(names.index("error") if "error" in names else len(names), SEAL)
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
