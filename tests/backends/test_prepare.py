"""Conversion: in a child, once, outside of the timed load, uploaded as it is; and converters that misbehave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from bench import backends
from bench.artifact import package
from bench.artifact.artifact import Artifact, load
from bench.backends import prepare
from bench.backends.sample import sample
from bench.base import child
from bench.base.errors import OutOfMemory, Unsupported
from bench.measure.bring import bring
from bench.measure.launch import Launch
from bench.plan.case import Case, Settings
from bench.plan.zoo import ModelRef
from tests.backends.plugins import Plugins
from tests.conftest import Bench
from tests.transport.piped import Piped

# Writes who converted, and in which process; `load` refuses anything else.
CONVERTS = """
class P(Backend):
    name, title = NAME, "converts"
    parameters = parameters(Parameter("level", 1), Parameter("threads_hint", 1))
    capabilities = Capabilities(conversion=Conversion(options=("level",), packages=("numpy",), timeout_s=TIMEOUT))
    def prepare(self, artifact, options, folder):
        PREPARE
        (folder / "deep").mkdir()
        said = f"{os.getpid()} level {options['level']} {artifact.path.stat().st_size}"
        (folder / "deep" / "net.bin").write_text(said)
    def load(self, artifact, settings, options):
        assert not artifact.path.exists() or artifact.path.is_absolute()
        text = artifact.converted_path("deep/net.bin").read_text()
        assert f"level {options['level']}" in text, text
        LOAD
        return S(artifact)
"""


def add(
    plugins: Plugins, name: str, prepare_body: str = "pass", timeout_s: float = 60, load_body: str = "pass"
) -> None:
    source = CONVERTS.replace("PREPARE", prepare_body).replace("TIMEOUT", str(timeout_s))
    plugins.add(name, source.replace("LOAD", load_body))


def converted(spec: str, artifact: Artifact | None = None) -> tuple[Artifact, int]:
    """Prepare, and say how many conversions that took."""
    calls: list[int] = []
    found = prepare.ensure(artifact or sample(), backends.resolve(spec), lambda: calls.append(1))
    return found, len(calls)


def test_a_backend_that_converts_nothing_gets_the_artifact() -> None:
    assert converted("fake") == (sample(), 0)


def test_once_in_another_process_and_by_what_matters(plugins: Plugins) -> None:
    add(plugins, "once")
    found, calls = converted("once")
    assert calls == 1
    said = found.converted_path("deep/net.bin").read_text()
    assert not said.startswith(f"{os.getpid()} ")
    assert f" {sample().bytes}" in said  # the converter saw the ONNX file
    assert [file.name for file in found.converted] == ["deep/net.bin"]
    assert converted("once") == (found, 0)
    assert converted("once:threads_hint=2") == (found, 0)  # the converter does not look at it
    other, calls = converted("once:level=2")
    assert calls == 1
    assert other.folder != found.folder
    assert load(Path(found.folder)) == found


def test_another_converter_or_version_converts_anew(plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
    add(plugins, "conv")
    ref = backends.resolve("conv")
    keys = {prepare._key(sample(), backends.get("conv"), ref)}
    monkeypatch.setattr(prepare, "_versions", lambda name, python: '{"numpy": "0"}')
    keys.add(prepare._key(sample(), backends.get("conv"), ref))
    monkeypatch.setattr(prepare, "_source", lambda cls: "edited")
    keys.add(prepare._key(sample(), backends.get("conv"), ref))
    assert len(keys) == 3


def test_what_is_damaged_is_made_anew(plugins: Plugins) -> None:
    add(plugins, "conv")
    found, _ = converted("conv")
    found.converted_path("deep/net.bin").write_text("")
    assert converted("conv")[1] == 1


def test_it_is_carried_in_its_converted_form(plugins: Plugins) -> None:
    add(plugins, "conv")
    found, _ = converted("conv")
    packed = package.pack(found, backends.get("conv").capabilities.form)
    assert list(packed.paths) == ["reference.npz", "deep/net.bin"]
    assert str(Path(found.folder).parent) not in packed.manifest.decode()
    there = Path(package.lay(packed))
    assert load(there).converted == found.converted
    assert (there / "deep/net.bin").read_bytes() == found.converted_path("deep/net.bin").read_bytes()
    assert prepare.ensure(found, backends.resolve("conv")) is found  # on the device nothing is converted


def test_a_device_loads_what_was_converted_here(plugins: Plugins) -> None:
    add(plugins, "conv")
    case = Case(ModelRef("onnx", "sample", "", {}, None), backends.resolve("conv"), Settings())
    with closing(Piped()) as transport, Launch(case, 60.0, transport) as launch:
        folder = bring(transport, case, sample())
        assert launch.load(folder, [])["parity_rel_l2"] == 0
        assert sorted(os.listdir(folder)) == ["artifact.json", "deep", "reference.npz"]  # neither ONNX file nor weights


FAULTS = {
    "refuses": ("raise Unsupported('no kernel for Gelu', 'leave it')", Unsupported, "no kernel for Gelu"),
    "raises": ("raise ValueError('bad op')", Unsupported, "the converter of raises failed: ValueError: bad op"),
    "prints": ("print('x' * 200_000); print('{', file=sys.stderr); 1 / 0", Unsupported, "ZeroDivisionError"),
    "aborts": ("os.abort()", Unsupported, "the converter of aborts died of SIGABRT"),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", OutOfMemory, "the converter of killed was killed"),
    "exits": ("os._exit(0)", Unsupported, "the converter of exits left before it was done"),
    "nothing": ("return", Unsupported, "the converter of nothing wrote nothing"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_converter_that_fails_is_one_line(name: str, plugins: Plugins) -> None:
    body, kind, said = FAULTS[name]
    add(plugins, name, body)
    with pytest.raises(kind) as found:
        converted(name)
    assert said in found.value.message
    assert "\n" not in found.value.message
    assert not [path for path in Path(os.environ["ISOFLOPS_CACHE"], "converted").iterdir() if name in path.name]


def test_one_that_hangs_is_ended_with_what_it_started(plugins: Plugins, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    add(
        plugins,
        "hangs",
        f"p = subprocess.Popen(['sleep', '600']); Path({str(note)!r}).write_text(str(p.pid)); p.wait()",
        8,
    )
    with pytest.raises(Unsupported, match="the converter of hangs took more than 8 s and was ended"):
        converted("hangs")
    assert gone(int(note.read_text()))


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed cannot tidy up: its child has to notice, with what that has started."""
    note = tmp_path / "pids"
    (tmp_path / "slow.py").write_text(
        "import os, subprocess\ndef work(path):\n    p = subprocess.Popen(['sleep', '600'])\n"
        "    open(path + '.part', 'w').write(f'{os.getpid()} {p.pid}'); os.rename(path + '.part', path)\n    p.wait()\n"
    )
    code = f"from bench.base.child import ask; ask('slow:work', {str(note)!r}, 600)"
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path})
    try:
        while not note.exists():
            assert parent.poll() is None
            time.sleep(0.02)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert all(gone(int(pid)) for pid in note.read_text().split())


def test_an_interpreter_that_is_not_there_is_one_line() -> None:
    with pytest.raises(child.ChildFailed, match="cannot be started by /no/python"):
        child.ask("os:getpid", None, 5.0, python="/no/python")


def test_a_run_converts_outside_of_the_load_and_a_failure_costs_its_case(
    plugins: Plugins, bench: Bench, tiny: Path
) -> None:
    note = tiny.with_name("note")
    say = f"open({str(note)!r}, 'a').write(f'{{os.getpid()}} %s{{chr(10)}}')"
    add(plugins, "before", say % "converts", load_body=say % "loads")
    add(plugins, "never", "raise Unsupported('no kernel for Gelu', 'leave it')")
    add(plugins, "full", "raise OSError(28, os.strerror(28))")
    specs = [text for name in ("never", "full", "before", "fake") for text in ("--backend", name)]
    ran = bench("run", "--model", tiny, *specs, "--launches", "1", "--budget", "0.5", "--format", "json")
    never, full, before, fake = json.loads(ran.stdout)
    assert (never["status"], never["error"]) == ("unsupported", "no kernel for Gelu (leave it)")
    assert (full["status"], "No space left on device (make room in " in full["error"]) == ("failed", True)
    told = [line.split() for line in note.read_text().splitlines()]
    (converter, first), *rest = told
    assert first == "converts"  # once, before any launch loads, and in no launch's process
    assert {what for _, what in rest} == {"loads"}
    assert converter not in {pid for pid, _ in rest}
    assert before["status"] in ("ok", "noisy")
    assert fake["status"] in ("ok", "noisy")


def gone(pid: int) -> bool:
    """Wait until a process has ended, and tell whether it has; it may be nobody's child any more."""
    for _ in range(1000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False
