"""Rooflines that were measured, one file per machine in the user's cache, by backend, version and threads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bench.base import cache
from bench.base.files import write_whole
from bench.machine.environment import Environment
from bench.machine.identity import machine_of
from bench.machine.roof import Roofline


def path(machine: str) -> Path:
    """Return the file of a machine, named as `bench.machine.identity.machine_of` does."""
    return cache.folder("machines") / f"{machine}.roofline.json"


def recall(environment: Environment, backend: str, version: str | None, threads: int) -> Roofline | None:
    """Return the roofline of a backend (canonical spec); the newest of any version where `version` is None."""
    return known(machine_of(environment), backend, version, threads)


def known(machine: str, backend: str, version: str | None, threads: int) -> Roofline | None:
    """Return what `recall` does, of a machine that is known by its name."""
    found = [
        roof
        for roof in _read(path(machine)).values()
        if (roof.backend, roof.threads) == (backend, threads) and version in (None, roof.version)
    ]
    return max(found, key=lambda roof: roof.measured_at, default=None)


def of_precisions(
    environment: Environment, backend: str, version: str | None, threads: int, plain: Callable[[str], str]
) -> dict[str, Roofline]:
    """Return the rooflines of a backend that differ in nothing but the precision, by the precision that ran.

    `backend` is a canonical spec, whatever precision it asks for, and `plain` leaves that out of a spec. The highest of
    one precision counts: both are bounds of what can be reached.
    """
    found: dict[str, Roofline] = {}
    for roof in _read(path(machine_of(environment))).values():
        same = (plain(roof.backend), roof.version, roof.threads) == (plain(backend), version or roof.version, threads)
        if same and (roof.precision not in found or found[roof.precision].peak_gmacs_per_s < roof.peak_gmacs_per_s):
            found[roof.precision] = roof
    return found


def remember(environment: Environment, roof: Roofline) -> None:
    """Keep a roofline in place of an older one of the same backend, version and threads."""
    file = path(machine_of(environment))
    with cache.locked(file.with_suffix(".lock")):
        known = _read(file) | {_key(roof): roof}
        write_whole(file, json.dumps({key: one.record() for key, one in known.items()}).encode())


def _key(roof: Roofline) -> str:
    return f"{roof.backend} {roof.version} {roof.threads}"


def _read(file: Path) -> dict[str, Roofline]:
    """Read what is known; what does not parse is as good as none."""
    try:
        return {str(key): Roofline.read(data) for key, data in json.loads(file.read_text()).items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
