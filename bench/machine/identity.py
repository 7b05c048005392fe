"""Which machine this is: the one place that says so, for all that is remembered of a machine or compared with it.

The CPU (instruction set, model, family and stepping), the number of cores that the machine has, and the id of the
installed system, or of the board where that cannot be read. Not the host name, since a container gets a new one with
every start; not the cores that a process may use, since ``taskset`` or a cpuset makes no other machine; not memory or
kernel, which change with an update. Result rows name a machine by fewer columns, because they are published:
`bench.rows.identity.machine`.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bench.base.wire import Unchecked
from bench.machine import sysfs, systems
from bench.machine.environment import Environment

ROOT = Path("/")
# The first can be read by anyone, the board's by root alone. A container often has an empty file for the first.
IDS = ("etc/machine-id", "var/lib/dbus/machine-id", "sys/class/dmi/id/product_uuid", "sys/class/dmi/id/board_serial")


def machine_of(environment: Environment) -> str:
    """Return a short name of a machine that says nothing of whose it is."""
    parts = (environment.arch, environment.cpu, environment.cpu_id, environment.all_cores, environment.system_id)
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def is_machine(environment: Environment, told: Unchecked) -> bool:
    """Tell whether a record is of this machine: by its `machine`, or in an older record by the CPU in `environment`."""
    if told.get("machine"):
        return bool(told["machine"] == machine_of(environment))
    there = told.get("environment") or {}
    return all(there.get(name) == getattr(environment, name) for name in ("arch", "cpu", "cpu_id"))


def system_id(root: Path = ROOT) -> str:
    """Return a hash of the system's own id; the empty text where it has none that can be read."""
    for name in IDS:
        told = sysfs.text(root / name)
        if told and told != "uninitialized":
            return _hash(told)
    own = systems.own_id(root)
    return _hash(own) if own else ""


def _hash(text: str) -> str:
    return hashlib.sha256(f"isoflops {text}".encode()).hexdigest()[:16]


def all_cores(root: Path = ROOT) -> int:
    """Return how many cores the machine has, whichever of them this process may use."""
    return len(sysfs.cores(sysfs.text(root / "sys/devices/system/cpu/present"))) or os.cpu_count() or 1
