"""What in this machine will spoil a measurement, and what to do about it.

Every check reads files under a root that tests can replace. A check that cannot know says so: `unknown` is no `ok`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.base.process import hidden_settings
from bench.base.words import counted, plural
from bench.machine import board, cgroup, systems
from bench.machine import cores as cores_module
from bench.machine.baseline import SHIFT, Known
from bench.machine.cores import pinning
from bench.machine.environment import emulated, usable_cores
from bench.machine.sysfs import text as read

ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Symptom:
    """One line of the doctor's: `state` is ok, warning, bad or unknown; `hint` says what to do, empty when ok."""

    check: str
    state: str
    found: str
    hint: str = ""


def examine(root: Path = ROOT, threads: int = 1) -> list[Symptom]:
    """Run every check for measuring with `threads` threads."""
    return [symptom for check in CHECKS for symptom in check(root, threads)]


def governor(root: Path, threads: int) -> list[Symptom]:
    """Clocks that follow the load make the first inferences slow and every gap expensive."""
    found = {read(p) for p in root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")}
    if not found:
        hint = "in a virtual machine the host decides; see the reference workload"
        return [Symptom("governor", "unknown", "not visible", hint)]
    names = ", ".join(sorted(found))
    if found == {"performance"}:
        return [Symptom("governor", "ok", names)]
    if "NVIDIA" in board.model(root) and not _fixed(root):
        return [Symptom("governor", "warning", f"{names}; clocks move", "sudo nvpmodel -m 0; sudo jetson_clocks")]
    if systems.android(root):
        return [Symptom("governor", "warning", names, "a phone's stays as it is: many launches, spread by --over 10m")]
    return [Symptom("governor", "warning", names, "sudo bench doctor --fix, or cpupower frequency-set -g performance")]


def _fixed(root: Path) -> bool:
    """Tell whether no core's clock may move, as `jetson_clocks` leaves them."""
    folders = list(root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq"))
    ends = [(read(folder / "scaling_min_freq"), read(folder / "scaling_max_freq")) for folder in folders]
    return bool(ends) and all(least and least == most for least, most in ends)


def kinds(root: Path, threads: int) -> list[Symptom]:
    """On a CPU of big and little cores a thread that lands on a little one computes at half the speed, or less."""
    found = cores_module.kinds_of(root)
    if len(found) < 2:
        return [Symptom("kinds of cores", "ok" if found else "unknown", "all alike" if found else "not visible")]
    told = ", then ".join(f"{len(kind)} ({' '.join(map(str, kind))})" for kind in found)
    allowed = set(usable_cores()) if root == ROOT else {core for kind in found for core in kind}
    fast = [core for core in found[0] if core in allowed]
    if threads > len(fast):
        hint = f"threads land on slower cores: measure with at most {len(fast)}, or say so by `cores` of the target"
        return [Symptom("kinds of cores", "warning", f"fastest first: {told}", hint if fast else NO_FAST)]
    return [Symptom("kinds of cores", "ok", f"fastest first: {told}; the fastest are taken")]


NO_FAST = "this process may use none of the fastest: bring the app to the front, or look at its cpuset"


def throttling(root: Path, threads: int) -> list[Symptom]:
    """A board without enough cooling or current lowers its clocks, and says so if it is asked."""
    current, earlier = board.now(root)
    if current:
        hint = "let it cool, add a fan, use the supply that the maker names; blocks that it hits do not count"
        return [Symptom("throttling", "bad", "; ".join(current), hint)]
    if earlier:
        hint = "it may come again: `bench run` says in each row whether it did"
        return [Symptom("throttling", "warning", "; ".join(earlier), hint)]
    if board.told(root):
        return [Symptom("throttling", "ok", "none")]
    return [Symptom("throttling", "unknown", "nothing here tells of it")]


def power(root: Path, threads: int) -> list[Symptom]:
    """On a battery, and with a battery saver, clocks are lowered."""
    if systems.ask(root, "settings", "get", "global", "low_power") == "1":
        return [Symptom("power", "bad", "the battery saver is on", "switch it off, and plug the charger in")]
    folders = list(root.glob("sys/class/power_supply/*"))
    states = {read(folder / "status") for folder in folders if read(folder / "type") == "Battery"}
    plugged = None
    if not states and root == ROOT:
        plugged = _plugged()
    if "Discharging" in states or plugged is False:
        return [Symptom("power", "warning", "on battery", "plug the charger in, and switch battery savers off")]
    if states or plugged:
        return [Symptom("power", "ok", "on the charger")]
    if any(read(folder / "online") == "1" for folder in folders) or (not folders and not _portable(root)):
        return [Symptom("power", "ok", "no battery is seen")]
    return [Symptom("power", "unknown", "nothing tells whether it is on battery", "plug the charger in")]


def _portable(root: Path) -> bool:
    """Tell whether it may well have a battery that cannot be seen."""
    return systems.android(root) or sys.platform in ("darwin", "win32")


def _plugged() -> bool | None:
    """Ask psutil whether the charger is in; None where there is no battery, or nothing tells."""
    import psutil

    try:
        found = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError, psutil.Error):
        return None
    return None if found is None or found.power_plugged is None else bool(found.power_plugged)


def system(root: Path, threads: int) -> list[Symptom]:
    """What the operating system does not tell is missing in rows."""
    name, lacking = systems.name(root) or "Linux", systems.untold(root)
    if not lacking:
        return [Symptom("system", "ok", f"{name} tells everything that rows ask for")]
    hint = "rows say so, and those blocks are not set aside for it: compare only what ran in turns (ab)"
    return [Symptom("system", "warning", f"{name} does not tell {', '.join(lacking)}", hint)]


def turbo(root: Path, threads: int) -> list[Symptom]:
    """Turbo clocks depend on temperature and on what the other cores do."""
    no_turbo = read(root / "sys/devices/system/cpu/intel_pstate/no_turbo")
    boost = read(root / "sys/devices/system/cpu/cpufreq/boost")
    if not no_turbo and not boost:
        return [Symptom("turbo", "unknown", "not visible")]
    if no_turbo == "1" or boost == "0":
        return [Symptom("turbo", "ok", "off")]
    hint = "for comparisons over days: sudo bench doctor --fix, or echo 1 > .../intel_pstate/no_turbo (0 > .../boost)"
    return [Symptom("turbo", "warning", "on", hint)]


def siblings(root: Path, threads: int) -> list[Symptom]:
    """Two hardware threads of a core share its execution units."""
    groups = {read(p) for p in root.glob("sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list")}
    shared = sorted(g for g in groups if "," in g or "-" in g)
    if not groups:
        return [Symptom("SMT siblings", "unknown", "not visible")]
    if not shared:
        return [Symptom("SMT siblings", "ok", "none shown")]
    return [Symptom("SMT siblings", "warning", " ".join(shared), "name one core of each pair in `cores` of the target")]


def quota(root: Path, threads: int) -> list[Symptom]:
    """A container's CPU quota below the thread count throttles in bursts of tens of milliseconds."""
    groups = cgroup.folders(root)
    if not groups:
        return [Symptom("CPU quota", "unknown", "no control group is visible")]
    cores = cgroup.quota_cores(groups)
    if cores is None:
        return [Symptom("CPU quota", "ok", "none")]
    state = "bad" if cores < threads else "warning" if cores < threads + 1 else "ok"
    hint = "give whole cores instead (docker run --cpuset-cpus, not --cpus)" if state != "ok" else ""
    return [Symptom("CPU quota", state, f"{cores:g} {plural('core', cores)}", hint)]


def steal(root: Path, threads: int) -> list[Symptom]:
    """Time that the hypervisor gave to others since the machine started."""
    row = next((line.split() for line in read(root / "proc/stat").splitlines() if line.startswith("cpu ")), None)
    if row is None or len(row) < 9:
        return [Symptom("steal", "unknown", "no /proc/stat")]
    ticks = [int(x) for x in row[1:9]]
    share = ticks[7] / max(sum(ticks), 1)
    state = "warning" if share > 0.005 else "ok"
    hint = "others use these cores: expect noisy rows; measure at another hour or on a dedicated machine"
    return [Symptom("steal", state, f"{share:.2%} since start", hint if state != "ok" else "")]


def load(root: Path, threads: int) -> list[Symptom]:
    """Something else is running."""
    text = read(root / "proc/loadavg")
    if not text:
        return [Symptom("load", "unknown", "no /proc/loadavg")]
    one_minute = float(text.split()[0])
    state = "ok" if one_minute < 0.3 else "warning"
    hint = "stop what else runs (top shows it), or wait: the last minute counts" if state != "ok" else ""
    return [Symptom("load", state, f"{one_minute:.2f} over a minute", hint)]


def swap(root: Path, threads: int) -> list[Symptom]:
    """A page that must come back from the disk costs milliseconds."""
    fields = dict(re.findall(r"^(\w+):\s+(\d+)", read(root / "proc/meminfo"), re.MULTILINE))
    if "SwapTotal" not in fields:
        return [Symptom("swap", "unknown", "no /proc/meminfo")]
    used = (int(fields["SwapTotal"]) - int(fields["SwapFree"])) / 1024
    state = "warning" if used > 64 else "ok"
    return [Symptom("swap", state, f"{used:.0f} MiB in use", "free memory, then swapoff -a" if state != "ok" else "")]


def heat(root: Path, threads: int) -> list[Symptom]:
    """A hot chip lowers its clock."""
    degrees = [int(t) / 1000 for p in root.glob("sys/class/thermal/thermal_zone*/temp") if (t := read(p)).isdigit()]
    throttles = root.glob("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count")
    counts: list[int] = [int(t) for p in throttles if (t := read(p)).isdigit()]
    if not degrees and not counts:
        return [Symptom("temperature", "unknown", "not visible")]
    hottest = max(degrees, default=0.0)
    throttled = sum(counts)
    state = "warning" if hottest > 75 or throttled else "ok"
    found = f"{hottest:.0f} C, {throttled} throttling events since start"
    return [Symptom("temperature", state, found, "let it cool, add a fan" if state != "ok" else "")]


def subnormals(root: Path, threads: int) -> list[Symptom]:
    """Numbers below 1.2e-38 are slow on some CPUs; our weights avoid them, a person's may not."""
    import numpy as np

    # What a runtime is told holds for what it computes. OpenVINO takes subnormal weights for zero whatever it is told.
    flushed = float(np.float32(1e-38) / np.float32(16)) == 0.0
    kept = "kept by onnxruntime and torch; openvino takes subnormal weights for zero"
    return [Symptom("denormals", "ok", "flushed to zero by this process" if flushed else kept)]


def variables(root: Path, threads: int) -> list[Symptom]:
    """What is set in the environment for a runtime: workers are started without it."""
    found = hidden_settings(os.environ)
    if not found:
        return [Symptom("environment", "ok", "nothing set for runtimes")]
    hint = (
        "workers run without them, so that options alone decide; what must be set, a wrapper given as python= can set"
    )
    return [Symptom("environment", "warning", ", ".join(found), hint)]


def virtualisation(root: Path, threads: int) -> list[Symptom]:
    """A hypervisor shares cores out; an emulator measures itself."""
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", read(root / "proc/cpuinfo"), re.MULTILINE)
    if emulated(root):
        hint = "latencies of an emulated CPU say nothing; rows are for function only"
        return [Symptom("virtualisation", "bad", "this CPU is emulated", hint)]
    if flags:
        hint = "neighbours come and go: many short launches, compare only what ran interleaved"
        return [Symptom("virtualisation", "warning", "virtual machine", hint)]
    return [Symptom("virtualisation", "ok", "none seen")]


def cores(root: Path, threads: int) -> list[Symptom]:
    """The parent and the rest of the system need a core beside the ones that measure."""
    usable = len(usable_cores())
    if usable < threads:
        most = f"measure with at most {counted(usable, 'thread')}"
        return [Symptom("cores", "bad", f"{usable} for {counted(threads, 'thread')}", most)]
    if not pinning():
        hint = "this system or sandbox pins no threads: they wander, expect noisy rows; allow it, or measure elsewhere"
        return [Symptom("cores", "warning", f"{usable} usable, none to be pinned to", hint)]
    if usable == threads:
        hint = "leave one core for the rest of the system"
        return [Symptom("cores", "warning", f"{usable} for {counted(threads, 'thread')}", hint)]
    return [Symptom("cores", "ok", f"{usable} usable")]


def baseline_speed(known: list[Known]) -> Symptom:
    """A machine whose baseline speed is not known cannot be told to be slow today."""
    if not known:
        hint = "the first runs take their own speed as the baseline; `bench doctor --learn` makes it known in a minute"
        return Symptom("baseline speed", "unknown", "never measured here", hint)
    found = ", ".join(f"{counted(beside.launches, 'launch')} beside {beside.backend}" for beside in known)
    worst = max(known, key=lambda beside: abs(beside.shift))
    if abs(worst.shift) > SHIFT:
        hint = "if the machine has changed for good, `bench doctor --forget` learns it anew"
        return Symptom("baseline speed", "warning", f"lately {worst.shift:+.0%} beside {worst.backend}", hint)
    return Symptom("baseline speed", "ok", found)


def repeatability(known: tuple[float, int] | None, widest: float) -> Symptom:
    """No row can be told more closely than rows of this machine agree with each other; `widest` is asked for."""
    if known is None:
        hint = "three runs of a case tell it; `bench doctor --learn` makes them in a minute"
        return Symptom("repeatability", "unknown", "no case was measured three times here", hint)
    sd, cases = known
    found = f"rows of this machine repeat to ±{1.96 * sd:.1%} ({counted(cases, 'case')})"
    if 1.96 * sd > widest:
        return Symptom("repeatability", "warning", found, "spread runs over time (--over 2m), or measure in turns (ab)")
    return Symptom("repeatability", "ok", found)


Check = Callable[[Path, int], list[Symptom]]
CHECKS: tuple[Check, ...] = (
    *(system, virtualisation, cores, kinds, quota, load, steal, governor, turbo, siblings, power, heat, throttling),
    *(swap, subnormals, variables),
)
