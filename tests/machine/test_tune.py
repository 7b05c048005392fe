"""`bench doctor --fix` and `--undo`, on machines made of files."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli import _tune
from bench.cli.doctor import command
from bench.machine import tune
from bench.machine.tune import TuneError, apply, impossible, undo, wanted
from tests.machine.test_board import machine

CPU = "sys/devices/system/cpu"
# Four cores under powersave with turbo on; a disk's interrupt that may go anywhere, one of core 0 alone, one unused.
TREE = {f"{CPU}/cpu{n}/cpufreq/scaling_governor": "powersave" for n in range(4)} | {
    f"{CPU}/intel_pstate/no_turbo": "0",
    "proc/irq/9/smp_affinity_list": "0-3",
    "proc/irq/9/nvme0q1/x": "",
    "proc/irq/10/smp_affinity_list": "0",
    "proc/irq/10/eth0/x": "",
    "proc/irq/11/smp_affinity_list": "0-3",
    tune.BOOT: "boot-1\n",
}
CHANGED = {
    **{f"{CPU}/cpu{n}/cpufreq/scaling_governor": "performance" for n in range(4)},
    f"{CPU}/intel_pstate/no_turbo": "1",
    "proc/irq/9/smp_affinity_list": "0,1",
}


def state(root: Path) -> dict[str, str]:
    return {name: (root / name).read_text() for name in TREE if (root / name).is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return machine(tmp_path / "root", TREE)


def test_what_is_wanted_is_changed_and_undone(root: Path, tmp_path: Path) -> None:
    note, before = tmp_path / "state.json", state(root)
    changes = wanted([2, 3], root)
    assert {c.path.removeprefix(f"{root}/"): c.to for c in changes} == CHANGED
    assert apply(changes, note, root) == []
    assert state(root) == before | CHANGED
    assert wanted([2, 3], root) == []
    undone, remark = undo(note, root)
    assert (len(undone), remark) == (len(CHANGED), "")
    assert state(root) == before
    assert not note.exists()
    assert undo(note, root)[1].startswith("nothing was changed")


def test_one_that_fails_takes_back_those_before_it(root: Path, tmp_path: Path) -> None:
    note, before = tmp_path / "state.json", state(root)

    def write(path: str, text: str) -> None:
        if path.endswith("no_turbo") and text == "1":
            raise OSError(errno.EPERM, "Operation not permitted")
        Path(path).write_text(text)

    with pytest.raises(TuneError, match="no_turbo cannot be set to 1: Operation not permitted") as caught:
        apply(wanted([2, 3], root), note, root, write)
    assert "is as it was" in caught.value.hint
    assert state(root) == before
    assert not note.exists()


def test_a_governor_that_the_kernel_does_not_take_is_a_failure(root: Path, tmp_path: Path) -> None:
    before = state(root)

    def write(path: str, text: str) -> None:
        if "cpu3" not in path or text != "performance":
            Path(path).write_text(text)

    with pytest.raises(TuneError, match="the kernel did not take it"):
        apply(wanted([2, 3], root), tmp_path / "state.json", root, write)
    assert state(root) == before


def test_an_interrupt_that_the_kernel_keeps_is_no_failure(root: Path, tmp_path: Path) -> None:
    note = tmp_path / "state.json"

    def write(path: str, text: str) -> None:
        if "irq" in path:
            raise OSError(errno.EIO, "Input/output error")
        Path(path).write_text(text)

    kept = apply(wanted([2, 3], root), note, root, write)
    assert [change.path for change in kept] == [f"{root}/proc/irq/9/smp_affinity_list"]
    assert len(json.loads(note.read_text())["changes"]) == len(CHANGED) - 1


def test_what_cannot_be_put_back_stays_noted(root: Path, tmp_path: Path) -> None:
    note = tmp_path / "state.json"
    apply(wanted([2, 3], root), note, root)

    def refuse(path: str, text: str) -> None:
        if "cpu1/" in path:
            raise OSError(errno.EPERM, "Operation not permitted")
        Path(path).write_text(text)

    with pytest.raises(TuneError, match=r"cannot be put back: .*cpu1"):
        undo(note, root, refuse)
    assert len(undo(note, root)[0]) == 1
    assert state(root) == state(machine(tmp_path / "fresh", TREE))


def test_what_somebody_else_has_set_since_is_left(root: Path, tmp_path: Path) -> None:
    note = tmp_path / "state.json"
    apply(wanted([2, 3], root), note, root)
    machine(root, {f"{CPU}/cpu0/cpufreq/scaling_governor": "schedutil"})
    undone, remark = undo(note, root)
    assert len(undone) == len(CHANGED) - 1
    assert remark == "set to something else meanwhile, and left so: 1 change"
    assert (root / f"{CPU}/cpu0/cpufreq/scaling_governor").read_text() == "schedutil"


def test_twice_undone_is_what_was_there_first(root: Path, tmp_path: Path) -> None:
    note, before = tmp_path / "state.json", state(root)
    apply(wanted([2, 3], root), note, root)
    machine(root, {f"{CPU}/cpu0/cpufreq/scaling_governor": "schedutil"})
    apply(wanted([2, 3], root), note, root)
    undo(note, root)
    assert state(root) == before


def test_a_restart_has_undone_it(root: Path, tmp_path: Path) -> None:
    note = tmp_path / "state.json"
    apply(wanted([2, 3], root), note, root)
    machine(root, {tune.BOOT: "boot-2\n"})
    assert undo(note, root) == ([], "the machine was started anew since: nothing of it is left")
    assert not note.exists()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({".dockerenv": ""}, "this is a container (/.dockerenv is there)"),
        ({"proc/self/cgroup": "0::/kubepods/pod1"}, "its control group is kubepods's"),
        ({}, "in a virtual machine the host's"),
        ({"proc/77/comm": "irqbalance\n"}, "irqbalance moves interrupts back"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, files: dict[str, str], told: str) -> None:
    assert any(told in line for line in impossible(machine(tmp_path, {"etc/x": ""} | files)))


@pytest.mark.parametrize("mark", [{".dockerenv": ""}, {"proc/self/cgroup": "0::/system.slice/docker-1.scope"}])
def test_in_a_container_nothing_of_the_host_is_offered(command_on: Path, mark: dict[str, str]) -> None:
    before = state(command_on)
    machine(command_on, mark)
    assert wanted([2, 3], command_on) == []
    (why,) = impossible(command_on)
    assert "governor, turbo and interrupts are the host's; run `bench doctor --fix` there" in why
    found = CliRunner().invoke(command, ["--fix", "--yes"])
    assert (found.exit_code, state(command_on)) == (0, before)
    assert f"not here: {why}" in found.output
    assert "there is nothing to change from here" in found.output
    assert "smp_affinity" not in found.output


def test_amd_and_no_core_to_spare(tmp_path: Path) -> None:
    root = machine(tmp_path, TREE | {f"{CPU}/cpufreq/boost": "1"})
    (root / f"{CPU}/intel_pstate/no_turbo").unlink()
    changes = wanted([0, 1, 2, 3], root)
    assert {c.what for c in changes} == {"governor", "turbo"}
    assert next(c.to for c in changes if c.what == "turbo") == "0"
    machine(root, {f"{CPU}/cpu0/cpufreq/scaling_available_governors": "powersave schedutil"})
    assert sum(c.what == "governor" for c in wanted([0], root)) == 3


@pytest.fixture
def command_on(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the command work on a machine of files."""
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    for name in ("wanted", "impossible", "apply", "undo"):
        plain = getattr(tune, name)
        monkeypatch.setattr(tune, name, lambda *given, plain=plain: plain(*given, root=root))
    monkeypatch.setattr("bench.machine.cores.quietest", lambda threads, allowed: [3])
    return root


def test_the_command_asks_changes_and_undoes(command_on: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(command_on)
    unasked = CliRunner().invoke(command, ["--fix"])
    assert "nobody is there to ask" in str(unasked.exception)
    assert state(command_on) == before
    monkeypatch.setattr(_tune, "_consent", lambda: False)
    refused = CliRunner().invoke(command, ["--fix"])
    assert (refused.exit_code, state(command_on)) == (1, before)
    done = CliRunner().invoke(command, ["--fix", "--yes"])
    assert done.exit_code == 0, done.output
    assert "performance" in done.output
    assert "address space layout randomisation is left" in done.output
    assert state(command_on) != before
    assert CliRunner().invoke(command, ["--fix", "--yes"]).output.rstrip().endswith("there is nothing to change")
    back = CliRunner().invoke(command, ["--undo"])
    assert (back.exit_code, state(command_on)) == (0, before)


def test_without_the_rights_the_lines_are_printed(command_on: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(command_on)
    monkeypatch.setattr(tune, "refused", list)
    found = CliRunner().invoke(command, ["--fix", "--yes"])
    assert (found.exit_code, state(command_on)) == (1, before)
    assert f"echo performance > {command_on}/{CPU}/cpu0/cpufreq/scaling_governor" in found.output


def test_another_machine_is_not_tuned_from_here() -> None:
    found = CliRunner().invoke(command, ["--fix", "--target", "arm64:host=board"])
    assert "arm64 is another machine" in str(found.exception)
