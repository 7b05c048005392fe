"""What macOS, Windows and Android say of themselves where Linux has /proc and /sys, and what none of them tells.

Read with the programs and the registry that come with them. What cannot be read is empty. `untold` is what a row goes
without on this machine, whatever its system.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from bench.base import system
from bench.base.errors import clip

ROOT = Path("/")
ANSWER_S = 10.0
FOLDERS = ("usr/bin", "bin", "usr/sbin", "sbin", "system/bin", "opt/vc/bin")
PROCESSOR = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
CRYPTOGRAPHY = r"SOFTWARE\Microsoft\Cryptography"


def ask(root: Path, program: str, *words: str) -> str:
    """Return what a program that comes with the system prints, stripped; nothing where there is none or it fails.

    It is looked for on PATH where `root` is the machine's own, and in the usual folders under `root`.
    """
    there = [str(root / folder / program) for folder in FOLDERS if os.access(root / folder / program, os.X_OK)]
    found = (shutil.which(program) if root == ROOT else None) or next(iter(there), None)
    if found is None:
        return ""
    try:
        done = subprocess.run(
            [found, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=ANSWER_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def android(root: Path = ROOT) -> bool:
    """Tell whether the kernel is an Android's: of its own shell, or of a Linux userland in an app on it (Termux)."""
    return (root / "system/build.prop").exists() or (root / "system/bin/getprop").exists()


def name(root: Path = ROOT) -> str:
    """Name the system: ``macOS 14.5``, ``Windows 11 10.0.22631``, ``Android 14``; nothing for any other."""
    if sys.platform == "darwin":
        return f"macOS {ask(root, 'sw_vers', '-productVersion')}".strip()
    if sys.platform == "win32":
        return f"Windows {platform.release()} {platform.version()}".strip()
    if android(root):
        return f"Android {ask(root, 'getprop', 'ro.build.version.release')}".strip()
    return ""


def cpu(root: Path = ROOT) -> dict[str, str]:
    """Return `name` and `id` of the CPU of a Mac or of Windows; empty texts elsewhere."""
    if sys.platform == "darwin":
        fields = (("cpufamily", "hw.cpufamily"), ("family", "machdep.cpu.family"), ("model", "machdep.cpu.model"))
        told = [(key, _sysctl(root, field)) for key, field in fields]
        identity = " ".join(f"{key}={text}" for key, text in told if text)
        return {"name": _sysctl(root, "machdep.cpu.brand_string"), "id": identity}
    if sys.platform == "win32":
        # Intel64 Family 6 Model 186 Stepping 3, GenuineIntel
        numbers = re.findall(r"(Family|Model|Stepping) (\w+)", platform.processor())
        identity = " ".join(f"{key.lower()}={number}" for key, number in numbers)
        return {"name": _registry(PROCESSOR, "ProcessorNameString").strip(), "id": identity}
    return {"name": "", "id": ""}


def own_id(root: Path = ROOT) -> str:
    """Return the id of an installed macOS or Windows, as it is: only its hash may leave this machine."""
    if sys.platform == "darwin":
        found = re.search(r'"IOPlatformUUID" = "([^"]+)"', ask(root, "ioreg", "-rd1", "-c", "IOPlatformExpertDevice"))
        return found.group(1) if found else ""
    return _registry(CRYPTOGRAPHY, "MachineGuid") if sys.platform == "win32" else ""


def guest() -> bool:
    """Tell whether macOS says that it runs in a virtual machine."""
    return sys.platform == "darwin" and _sysctl(ROOT, "kern.hv_vmm_present") == "1"


def translated(root: Path = ROOT) -> bool:
    """Tell whether this process runs under Rosetta: then instructions of another CPU are measured."""
    return sys.platform == "darwin" and _sysctl(root, "sysctl.proc_translated") == "1"


def untold(root: Path = ROOT) -> tuple[str, ...]:
    """Name what nothing here tells of a block, in phrases; nothing on a Linux that tells everything."""
    lacking = []
    if not os.access(root / "proc/stat", os.R_OK):
        lacking.append("stolen time and how busy other cores are")
    if not system.usage():
        lacking.append("context switches")
    if not os.access(root / "proc/self/task", os.R_OK):
        lacking.append("which threads computed")
    if (sys.platform != "linux" or android(root)) and not _heat(root):
        lacking.append("throttling")
    return tuple(lacking)


@cache
def said_untold() -> str:
    """Return the remark of a row that was measured here; nothing where all is told."""
    lacking = untold()
    return f"not told on {name() or platform.system()}: {', '.join(lacking)}" if lacking else ""


def _heat(root: Path) -> bool:
    return any(os.access(path, os.R_OK) for path in root.glob("sys/class/thermal/cooling_device*/cur_state"))


def _sysctl(root: Path, field: str) -> str:
    return ask(root, "sysctl", "-n", field)


def _registry(path: str, value: str) -> str:
    """Read a text of the machine's part of the registry."""
    try:
        import winreg
    except ImportError:
        return ""
    registry: Any = winreg  # its members are known to type checkers on Windows alone
    try:
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, path) as key:
            return clip(str(registry.QueryValueEx(key, value)[0]), 200)
    except OSError:
        return ""
