from __future__ import annotations

from bench.machine import counters
from bench.machine.environment import cpuinfo, local, usable_cores

X86 = """processor	: 0
vendor_id	: GenuineIntel
cpu family	: 6
model		: 85
model name	: Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz
stepping	: 4

processor	: 1
model name	: another
"""
ARM = """processor	: 0
BogoMIPS	: 108.00
CPU implementer	: 0x41
CPU architecture: 8
CPU part	: 0xd0b
"""


def test_names_an_x86_cpu() -> None:
    assert cpuinfo(X86) == {"name": "Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", "id": "family=6 model=85 stepping=4"}


def test_names_an_arm_cpu_which_has_no_model_name() -> None:
    assert cpuinfo(ARM) == {"name": "ARM Cortex-A76", "id": "implementer=0x41 part=0xd0b"}
    odd = ARM.replace("0xd0b", "0xfff").replace("0x41", "0x61")
    assert cpuinfo(odd)["name"] == "Apple 0xfff"


def test_this_machine_has_a_name() -> None:
    here = local()
    assert here.cpu
    assert here.microarchitecture
    assert here.cores == len(usable_cores()) >= 1
    assert here.memory_mb > 100


def test_counters_only_rise() -> None:
    before = counters.read(usable_cores())
    risen = counters.difference(before, counters.read(usable_cores()))
    assert risen["wall_ns"] > 0
    assert all(value >= 0 for value in risen.values())


def test_a_cpu_of_several_kinds_of_cores_has_them_all() -> None:
    """google/benchmark#1385: four small cores come first, the two large ones measure."""
    kinds = ["0xd03"] * 4 + ["0xd08"] * 2
    board = "\n".join(ARM.replace("0xd0b", kind).replace(": 0", f": {i}", 1) for i, kind in enumerate(kinds))
    assert cpuinfo(board) == {"name": "ARM Cortex-A53 + ARM Cortex-A72", "id": "implementer=0x41 part=0xd03+0xd08"}
    assert cpuinfo(ARM * 4) == cpuinfo(ARM)
