"""The small files by which a kernel tells what it knows (``/proc``, ``/sys``), read so that nothing is an error."""

from __future__ import annotations

from pathlib import Path


def text(path: Path) -> str:
    """Return a file's text, stripped; nothing where it cannot be read."""
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def number(path: Path, base: int = 10) -> int | None:
    """Return the whole number that a file holds; None where it holds none."""
    try:
        return int(text(path), base)
    except ValueError:
        return None


def cores(listed: str) -> set[int]:
    """Read ``0-3,8``; nothing where it is no list of cores."""
    found: set[int] = set()
    for part in listed.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            return set()
        found |= set(range(int(first), int(last or first) + 1))
    return found
