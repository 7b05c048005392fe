"""From texts to cases: what a person writes of one, and of its parts."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bench import backends
from bench.base.errors import BenchError, SpecError, UsageError, clip
from bench.plan import target as targets
from bench.plan import zoo
from bench.plan.case import BackendRef, Case, Settings, cross
from bench.plan.spec import written
from bench.plan.target import Target


def side(text: str, backend: str, threads: int, there: Target | None = None) -> Case:
    """Read one side, on this machine if no target is given; SpecError or whatever its parts raise."""
    there = there or targets.resolve("local")
    model, *rest = text.split("@")
    settings = Settings(threads=threads)
    for part in rest:
        key, equals, value = part.partition("=")
        if equals and key in ("threads", "batch", "resolution"):
            if not value.isdigit():
                raise SpecError(f"{clip(part)!r} is not {key}=NUMBER", "write e.g. @threads=2")
            changed: dict[str, Any] = {key: int(value)}
            settings = replace(settings, **changed)
        else:
            backend = part
    plan = cross(
        [zoo.resolve(model)],
        [backend_of(backend, there)],
        (settings.threads,),
        (settings.batch,),
        (settings.resolution,),
        there.name,
    )
    case: Case = plan.cases[0]
    return case


def backend_of(spec: str, there: Target) -> BackendRef:
    """Look a backend up for a target. Its runtime must be there, which only this machine can be asked now.

    On this machine it gets the target's interpreter, unless it names its own; elsewhere that is the target's matter.
    """
    if there.reach == "local" and there.python and "python=" not in spec:
        spec = f"{spec}{',' if ':' in spec else ':'}python={there.python}"
    return backends.resolve(spec, here=there.reach == "local")


def pace(text: str) -> float | None:
    """Read ``33ms``, ``0.5s``, ``30hz`` or ``none`` as the time between two starts in ms; UsageError otherwise."""
    if text == "none":
        return None
    match = re.fullmatch(r"([0-9.]+) ?(ms|s|hz)", text.lower())
    try:
        number = float(match[1]) if match else 0.0
        found = {"ms": number, "s": number * 1000, "hz": 1000 / number}[match[2]] if match else 0.0
    except (ValueError, ZeroDivisionError):
        found = 0.0
    if not 0.001 <= found <= 60_000:
        raise UsageError(f"--pace {clip(text)!r} is no time between two inferences", "write 33ms, 0.5s, 30hz or none")
    return found


def named(text: str) -> dict[str, str]:
    """Read ``MODEL[@BACKEND][@threads=N][@batch=N][@resolution=N]`` as the columns of rows that it names.

    Defaults are left out of specs, as rows do; a spec that is not known here stands as it is.
    """
    wanted = written(text)
    for kind, resolve in (("model", zoo.resolve), ("backend", backends.resolve)):
        if kind in wanted:
            with suppress(BenchError):
                wanted[kind] = resolve(wanted[kind]).canonical
    return wanted
