"""Names the machine: what a row must say for its number to mean anything elsewhere."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.base.errors import Unsupported
from bench.base.words import counted, plural
from bench.machine.sysfs import text


@dataclass(frozen=True, slots=True)
class Environment:
    """The machine a row was measured on.

    `microarchitecture` is archspec's name; inside a virtual machine it may be only a level such as ``x86_64_v4``.
    `cpu_id` holds family, model and stepping (x86), or implementer and part (ARM), because names can be masked. `cores`
    are those that a process may use, `all_cores` those of the machine, `system_id` a hash (`bench.machine.identity`).
    """

    arch: str
    cpu: str
    microarchitecture: str
    cpu_id: str
    cores: int
    memory_mb: int
    os: str
    kernel: str
    hypervisor: str
    python: str
    all_cores: int = 0
    system_id: str = ""


@cache
def local() -> Environment:
    """Describe this machine."""
    import psutil

    from bench.machine import identity, systems

    info, desktop = cpuinfo(text(Path("/proc/cpuinfo"))), systems.cpu()
    return Environment(
        arch=platform.machine(),
        cpu=info.get("name") or desktop["name"] or platform.processor() or "unknown",
        microarchitecture=_microarchitecture(),
        cpu_id=info["id"] or desktop["id"],
        cores=len(usable_cores()),
        memory_mb=psutil.virtual_memory().total >> 20,
        os=_os_name(),
        kernel=platform.release(),
        hypervisor=_hypervisor(),
        python=platform.python_version(),
        all_cores=identity.all_cores(),
        system_id=identity.system_id(),
    )


def emulated(root: Path = Path("/")) -> bool:
    """Tell whether this process runs under qemu-user or Rosetta, or on a machine emulated without hardware support."""
    try:
        # qemu-user answers for everything under /proc/self with what the guest would see there; the thread's own folder
        # it leaves to the kernel, which names the program that really runs (qemu 7.2, seen).
        program = os.readlink(root / "proc/thread-self/exe")
    except OSError:
        program = ""
    if program.rpartition("/")[2].startswith("qemu-"):
        return True
    from bench.machine import systems

    if systems.translated(root):
        return True
    names = r"^model name\s*:\s*(QEMU (TCG|Virtual)|VirtualApple)"
    return re.search(names, text(root / "proc/cpuinfo"), re.MULTILINE) is not None


def usable_cores() -> list[int]:
    """Return the cores that this process may run on; all of them where that may not be asked."""
    if hasattr(os, "sched_getaffinity"):
        try:
            return sorted(os.sched_getaffinity(0))
        except OSError:  # a filter of system calls
            pass
    else:
        import psutil

        if hasattr(psutil.Process, "cpu_affinity"):  # Windows
            with contextlib.suppress(OSError, psutil.Error):
                return sorted(psutil.Process().cpu_affinity() or ())
    return list(range(os.cpu_count() or 1))


def pick_cores(threads: int, allowed: list[int] | None = None) -> list[int]:
    """Return as many cores to measure on as there are threads: the last of `allowed`, or of all usable ones.

    Raises:
        Unsupported: there are fewer cores than threads.
    """
    cores = allowed or usable_cores()
    if threads > len(cores):
        raise Unsupported(
            f"{threads} {plural('thread', threads)} on {counted(len(cores), 'core')}",
            "threads that share a core only get in each other's way",
        )
    return cores[-threads:]


def cpuinfo(told: str) -> dict[str, str]:
    """Read name and identity of the CPU from the text of ``/proc/cpuinfo``, of x86 or ARM.

    An ARM CPU with several kinds of cores has them all: the first is often the small one, and measures nothing.
    """
    fields: dict[str, str] = {}
    several: dict[str, list[str]] = {}
    for line in told.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
            several.setdefault(key.strip(), []).append(value.strip())
    if "CPU implementer" in fields:
        makers, parts = several["CPU implementer"], several.get("CPU part", [])
        kinds = list(dict.fromkeys(zip(makers, parts, strict=False))) or [(makers[0], "?")]
        identity = " ".join(
            f"implementer={maker} part={'+'.join(part for one, part in kinds if one == maker)}"
            for maker in dict.fromkeys(maker for maker, _ in kinds)
        )
        return {"name": fields.get("model name") or " + ".join(_arm_name(*kind) for kind in kinds), "id": identity}
    identity = " ".join(
        f"{short}={fields[key]}"
        for short, key in (("family", "cpu family"), ("model", "model"), ("stepping", "stepping"))
        if key in fields
    )
    return {"name": fields.get("model name", ""), "id": identity}


def _arm_name(maker: str, part: str) -> str:
    """Name an ARM core from its implementer and part; archspec knows the vendors."""
    vendors = {"0x41": "ARM", "0x42": "Broadcom", "0x43": "Cavium", "0x46": "Fujitsu", "0x48": "HiSilicon"}
    vendors |= {"0x4e": "NVIDIA", "0x51": "Qualcomm", "0x61": "Apple", "0xc0": "Ampere"}
    parts = {"0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57"}
    parts |= {"0xd08": "Cortex-A72", "0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76"}
    parts |= {"0xd0c": "Neoverse-N1", "0xd40": "Neoverse-V1", "0xd49": "Neoverse-N2", "0xd4f": "Neoverse-V2"}
    parts |= {"0xd41": "Cortex-A78", "0xd44": "Cortex-X1", "0xd46": "Cortex-A510", "0xd47": "Cortex-A710"}
    vendor = vendors.get(maker, maker)
    return f"{vendor} {parts.get(part, part) if vendor == 'ARM' else part}"


def _microarchitecture() -> str:
    import archspec.cpu

    return str(archspec.cpu.host().name)


def _hypervisor() -> str:
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", text(Path("/proc/cpuinfo")), re.MULTILINE)
    vendor = text(Path("/sys/class/dmi/id/sys_vendor"))
    if vendor in ("QEMU", "Amazon EC2", "Google", "VMware, Inc.", "Xen", "Microsoft Corporation"):
        return vendor if flags or vendor == "QEMU" else ""
    from bench.machine import systems

    return "yes" if flags or systems.guest() else ""


def _os_name() -> str:
    match = re.search(r'^PRETTY_NAME="?([^"\n]*)', text(Path("/etc/os-release")), re.MULTILINE)
    from bench.machine import systems

    own = systems.name()
    if own.startswith("Android") and match:
        return f"{match.group(1)} on {own}"
    return own or (match.group(1) if match else platform.system())
