"""An environment like a device's: of what is installed here, only what the base install asks for can be imported."""

from __future__ import annotations

import json
import os
import re
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).parents[1]
# Read by every interpreter that starts with this folder in PYTHONPATH: the command's, its workers', those of exports.
SITE = """
import sys

sys.modules.update(dict.fromkeys({blocked}))  # neither imported nor found
"""


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement.strip())[0]).lower()  # type: ignore[index]


@cache
def base() -> frozenset[str]:
    """Return the names of the distributions of the base install: the dependencies, and what those need."""
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    found, waiting = {"isoflops"}, [_name(one) for one in declared]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another platform or an older Python
        waiting += [_name(one) for one in needed if "extra ==" not in one]
    return frozenset(found)


@cache
def blocked() -> frozenset[str]:
    """Return the modules at the top that no distribution of the base install brings."""
    brought = metadata.packages_distributions()
    return frozenset(top for top, by in brought.items() if not base() & {_name(one) for one in by} and top != "bench")


def environment(folder: Path) -> dict[str, str]:
    """Return the variables with which a Python is as on a device; the cache is new, too."""
    site = folder / "site"
    site.mkdir(exist_ok=True)
    site.joinpath("sitecustomize.py").write_text(SITE.format(blocked=json.dumps(sorted(blocked()))))
    before = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(site), *([before] if before else [])])
    return {"PYTHONPATH": path, "ISOFLOPS_CACHE": str(folder / "cache")}
