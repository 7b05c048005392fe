"""What `bench doctor --fix` changes so that a machine measures more steadily, and how it is undone.

The governor of every core, turbo clocks, and the cores that serve interrupts: what ``pyperf system tune`` does of the
same. Address space layout randomisation stays as it is, because launches are to meet different layouts. Before the
first change a file in the cache notes what was there, so that `undo` finds it whatever happens in between; a change
that fails takes back those before it. A restart undoes all of it by itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from bench.base import cache
from bench.base.errors import BenchError
from bench.base.files import write_whole
from bench.base.words import counted
from bench.machine import systems
from bench.machine.sysfs import cores, text

ROOT = Path("/")
BOOT = "proc/sys/kernel/random/boot_id"
CPU = "sys/devices/system/cpu"
CONTAINERS = (".dockerenv", "run/.containerenv")
INTERRUPT = "interrupts"  # the one kind of change that a kernel may refuse for good reasons


class TuneError(BenchError):
    """A machine could not be tuned, or not be put back."""


@dataclass(frozen=True, slots=True)
class Change:
    """A file of the kernel's, what it says, and what it is to say."""

    what: str
    path: str
    was: str
    to: str


class State(msgspec.Struct):
    """What was changed since which start of the machine."""

    boot: str
    changes: list[Change]


def state_file() -> Path:
    """Return where a change is noted."""
    return cache.folder("tuned") / "state.json"


def wanted(measuring: Sequence[int], root: Path = ROOT) -> list[Change]:
    """Return what would have to be changed for measuring on these cores; nothing where all is well.

    Nothing in a container, either: what may be set from there is set for the whole host, and its other tenants.
    """
    if _container(root):
        return []
    changes = []
    for policy in sorted(root.glob(f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor")):
        offered = text(policy.with_name("scaling_available_governors")).split()
        if text(policy) not in ("", "performance") and (not offered or "performance" in offered):
            changes.append(Change("governor", str(policy), text(policy), "performance"))
    for name, on, off in ((f"{CPU}/intel_pstate/no_turbo", "0", "1"), (f"{CPU}/cpufreq/boost", "1", "0")):
        if text(root / name) == on:
            changes.append(Change("turbo", str(root / name), on, off))
    return changes + _interrupts(measuring, root)


def _interrupts(measuring: Sequence[int], root: Path) -> list[Change]:
    """Return the changes that keep interrupts off the cores that measure."""
    folders = (path.name.removeprefix("cpu") for path in root.glob(f"{CPU}/cpu[0-9]*"))
    others = sorted({int(number) for number in folders if number.isdigit()} - set(measuring))
    if not others:
        return []
    to, changes = ",".join(map(str, others)), []
    for path in sorted(root.glob("proc/irq/[0-9]*/smp_affinity_list"), key=lambda path: int(path.parent.name)):
        now = cores(text(path))
        if now & set(measuring) and _movable(path):
            changes.append(Change(INTERRUPT, str(path), text(path), to))
    return changes


def _movable(path: Path) -> bool:
    """Tell whether somebody is served by this interrupt: one without a handler has no folder of its own."""
    return any(entry.is_dir() for entry in path.parent.iterdir())


def impossible(root: Path = ROOT) -> list[str]:
    """Say in phrases what cannot be done here, and why."""
    if systems.name(root):
        return [f"{systems.name(root)} lets nobody set clocks"]
    inside = _container(root)
    if inside:
        return [
            f"this is a container ({inside}): governor, turbo and interrupts are the host's; "
            "run `bench doctor --fix` there"
        ]
    told = []
    governors = list(root.glob(f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor"))
    if not governors:
        told.append("no governor is visible: in a virtual machine the host's, which cannot be set from here")
    if not any((root / name).exists() for name in (f"{CPU}/intel_pstate/no_turbo", f"{CPU}/cpufreq/boost")):
        told.append("no switch for turbo clocks is visible: a CPU without them, or a host's")
    if not list(root.glob("proc/irq/[0-9]*/smp_affinity_list")):
        told.append("interrupts cannot be moved: /proc/irq is not there")
    if _runs(root, "irqbalance"):
        told.append("irqbalance moves interrupts back: systemctl stop irqbalance")
    return told


def refused(changes: Iterable[Change]) -> list[Change]:
    """Return the changes that this process has no right to make."""
    return [change for change in changes if not os.access(change.path, os.W_OK)]


def apply(
    changes: Sequence[Change], file: Path, root: Path = ROOT, write: Callable[[str, str], None] | None = None
) -> list[Change]:
    """Make the changes, noted in `file` before; return the interrupts that the kernel keeps where they are.

    Raises:
        TuneError: one could not be made; those before it have been taken back.
    """
    write = write or _write
    earlier = _noted(file, root)
    _note(file, root, [*earlier, *changes])
    made: list[Change] = []
    kept: list[Change] = []
    for change in changes:
        try:
            write(change.path, change.to)
            if change.what != INTERRUPT and text(Path(change.path)) != change.to:
                raise OSError(0, "the kernel did not take it")
        except OSError as error:
            if change.what == INTERRUPT:
                kept.append(change)
                continue
            left = _put_back([*made, change], write)
            _note(file, root, [*earlier, *left])
            hint = "what was changed before it is as it was" if not left else f"still changed: {_names(left)}"
            raise TuneError(f"{change.path} cannot be set to {change.to}: {error.strerror}", hint) from error
        made.append(change)
    _note(file, root, [*earlier, *made])
    return kept


def undo(file: Path, root: Path = ROOT, write: Callable[[str, str], None] | None = None) -> tuple[list[Change], str]:
    """Put back what `apply` changed; return what was, and a remark where there is something to say.

    What somebody else has set since then is left as it is.

    Raises:
        TuneError: something cannot be put back; it stays noted.
    """
    if not file.exists():
        return [], "nothing was changed by `bench doctor --fix`"
    noted = _noted(file, root)
    if not noted:
        _note(file, root, [])
        return [], "the machine was started anew since: nothing of it is left"
    ours = [change for change in noted if _same(text(Path(change.path)), change.to)]
    left = _put_back(ours, write or _write)
    _note(file, root, left)
    if left:
        raise TuneError(f"cannot be put back: {_names(left)}", "sudo, with the same ISOFLOPS_CACHE; or restart it")
    others = len(noted) - len(ours)
    return ours, f"set to something else meanwhile, and left so: {counted(others, 'change')}" if others else ""


def _put_back(changes: Sequence[Change], write: Callable[[str, str], None]) -> list[Change]:
    """Put changes back, the last first; return those that cannot be."""
    left = []
    for change in reversed(changes):
        try:
            if not _same(text(Path(change.path)), change.was):
                write(change.path, change.was)
        except OSError:
            left.append(change)
    return left[::-1]


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as handle:
        handle.write(text)


def _note(file: Path, root: Path, changes: Sequence[Change]) -> None:
    if changes:
        # The first note of a file counts: it is what was there before we came.
        first: dict[str, Change] = {}
        for change in changes:
            known = first.get(change.path)
            first[change.path] = change if known is None else Change(known.what, known.path, known.was, change.to)
        note = {"boot": text(root / BOOT), "changes": [asdict(change) for change in first.values()]}
        write_whole(file, json.dumps(note).encode())
    else:
        file.unlink(missing_ok=True)


def _noted(file: Path, root: Path) -> list[Change]:
    """Return what is noted of changes since the machine's last start."""
    with suppress(OSError, ValueError):
        state = msgspec.json.decode(file.read_bytes(), type=State)
        if state.boot == text(root / BOOT):
            return state.changes
    return []


def _same(one: str, other: str) -> bool:
    return one == other or (cores(one) == cores(other) != set())


def _container(root: Path) -> str:
    marks = [name for name in CONTAINERS if (root / name).exists()]
    if marks:
        return f"/{marks[0]} is there"
    words = ("docker", "containerd", "kubepods", "libpod", "lxc")
    groups = text(root / "proc/self/cgroup")
    return next((f"its control group is {word}'s" for word in words if word in groups), "")


def _runs(root: Path, program: str) -> bool:
    return any(text(path) == program for path in root.glob("proc/[0-9]*/comm"))


def _names(changes: Iterable[Change]) -> str:
    return ", ".join(change.path for change in changes)
