"""What a device accepts: a declared case, an announced bundle, and nothing else."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import backends, export
from bench.base.errors import ArtifactError, BenchError, MissingExtra, UsageError
from bench.measure import bundle, device, record
from bench.plan import zoo
from bench.plan.case import Case, Settings
from bench.plan.protocol import Protocol
from bench.transport.dask import Tls, address_of
from tests.conftest import Bench, one_line_error


def order(tiny: Path, **settings: Any) -> record.Order:
    spec = "fake:latency_ms=1.0000001,fail=crash"
    case = Case(zoo.resolve(str(tiny)), backends.resolve(spec), Settings(**settings), "one")
    return record.Order(case, Protocol(launches=1), "0" * 64, "abc")


def test_a_record_comes_back_as_it_was(tiny: Path) -> None:
    sent = order(tiny, threads=2, shapes=(("x", (1, 3, 16, 16)),), pace_ms=33.3)
    found = record.read(record.write(sent))
    assert found.case.id == sent.case.id
    assert found.case.backend == sent.case.backend
    assert found.case.settings == sent.case.settings
    assert (found.protocol, found.bundle, found.run_id) == (sent.protocol, sent.bundle, sent.run_id)
    assert found.case.model.source == ""


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a field more": lambda r: r.update(python="/bin/sh"),
    "a field less": lambda r: r.pop("protocol"),
    "another format": lambda r: r.update(format=2),
    "another version": lambda r: r.update(isoflops="0.0.0"),
    "a path as bundle": lambda r: r.update(bundle="../../etc"),
    "a run that is no name": lambda r: r.update(run_id="a b"),
    "an id of another case": lambda r: r.update(case_id="0" * 12),
    "another target than its id says": lambda r: r.update(target="two"),
    "an unknown kind": lambda r: r["model"].update(kind="pickle"),
    "a source": lambda r: r["model"].update(source="/tmp/evil.py:f"),
    "a resolution of text": lambda r: r["model"].update(resolution="224"),
    "an unknown backend": lambda r: r["backend"].update(name="os.system"),
    "an interpreter": lambda r: r["backend"].update(python="/bin/sh"),
    "an unknown option": lambda r: r["backend"]["options"].update(extra="1"),
    "an option that is not offered": lambda r: r["backend"]["options"].update(fail="reboot"),
    "an option that is no text": lambda r: r["backend"]["options"].update(fail=["crash"]),
    "threads beyond measure": lambda r: r["settings"].update(threads=10**9),
    "threads of truth": lambda r: r["settings"].update(threads=True),
    "a pace that is none": lambda r: r["settings"].update(pace_ms=float("nan")),
    "shapes of nothing": lambda r: r["settings"].update(shapes=[["x", [0]]]),
    "shapes without end": lambda r: r["settings"].update(shapes=[["x", [1]]] * 300),
    "a protocol without end": lambda r: r["protocol"].update(budget_s=1e12),
    "an infinite timeout": lambda r: r["protocol"].update(timeout_s=float("inf")),
    "launches of text": lambda r: r["protocol"].update(launches="5; rm"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_hostile_record_is_refused(change: str, tiny: Path) -> None:
    data = json.loads(record.write(order(tiny)))
    CHANGES[change](data)
    with pytest.raises(BenchError):
        record.read(json.dumps(data))


@pytest.mark.parametrize("text", ["", "null", "[]", "{", "[" * 50_000, '"' + "x" * 100_000 + '"', b"{}", None])
def test_what_is_no_record_is_refused(text: Any) -> None:
    with pytest.raises(UsageError):
        record.read(text)


def test_a_runtime_that_the_device_lacks(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = record.write(order(tiny))
    monkeypatch.setattr(backends, "installed", lambda backend: False)
    with pytest.raises(MissingExtra):
        record.read(text)


@pytest.fixture
def packed(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bundle.Bundle:
    """A bundle from the session's cache, and an empty cache to receive it in."""
    found = bundle.pack(export.ensure(Case(zoo.resolve(str(tiny)), backends.resolve("fake"), Settings())))
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "device"))
    return found


def bring(packed: bundle.Bundle) -> None:
    have = bundle.begin(packed.manifest)
    for name in set(packed.paths) - set(have):
        for offset, chunk in packed.chunks(name):
            bundle.put(packed.hash, name, offset, chunk)


def test_a_bundle_arrives_whole_and_twice_is_no_harm(packed: bundle.Bundle, tiny: Path) -> None:
    assert bundle.find(packed.hash) is None
    assert str(tiny.parent) not in packed.manifest.replace(json.dumps(str(tiny)), "")
    bring(packed)
    assert sorted(bundle.begin(packed.manifest)) == sorted(packed.paths), "a second sender need not send"
    bundle.finish(packed.hash)
    found = bundle.find(packed.hash)
    assert found is not None
    assert found.path.read_bytes() == tiny.read_bytes()
    assert len(found.reference()[1]) == 1
    bundle.put(packed.hash, "model.onnx", 0, b"x")  # one that comes late changes nothing
    bundle.finish(packed.hash)
    assert bundle.find(packed.hash).path.read_bytes() == tiny.read_bytes()


def test_a_bundle_that_was_changed_on_its_way_is_thrown_away(packed: bundle.Bundle) -> None:
    bring(packed)
    bundle.put(packed.hash, "model.onnx", 3, b"?!")
    with pytest.raises(ArtifactError, match="did not arrive as it was sent"):
        bundle.finish(packed.hash)
    assert bundle.find(packed.hash) is None
    with pytest.raises(ArtifactError):
        bundle.put(packed.hash, "model.onnx", 0, b"")


MANIFESTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a file outside": lambda m: m["files"].append({"name": "../evil", "bytes": 1, "sha256": "0" * 64}),
    "an absolute file": lambda m: m["files"].append({"name": "/etc/evil", "bytes": 1, "sha256": "0" * 64}),
    "a file that no model has": lambda m: m["files"].append({"name": "evil.py", "bytes": 1, "sha256": "0" * 64}),
    "its own description": lambda m: m["files"].append({"name": "artifact.json", "bytes": 1, "sha256": "0" * 64}),
    "a model elsewhere": lambda m: m["artifact"].update(onnx="/etc/passwd"),
    "data elsewhere": lambda m: m["artifact"].update(data=["../../secret"]),
    "stamps": lambda m: m["artifact"].update(stamps=[["/etc/passwd", 1, 1]]),
    "code to be built from": lambda m: m["artifact"].update(kind="python", source='{"source": "/tmp/evil.py:f"}'),
    "a family that is none": lambda m: m["artifact"].update(kind="zoo", source='{"source": "..os"}'),
    "no files": lambda m: m.update(files=[]),
    "a negative size": lambda m: m["files"][0].update(bytes=-1),
}


@pytest.mark.parametrize("change", MANIFESTS)
def test_a_hostile_manifest_is_refused(change: str, packed: bundle.Bundle) -> None:
    data = json.loads(packed.manifest)
    MANIFESTS[change](data)
    with pytest.raises(ArtifactError):
        bundle.begin(json.dumps(data))
    assert "error" in device.begin(json.dumps(data))


@pytest.mark.parametrize("part", [("evil", 0, b"x"), ("../evil", 0, b"x"), ("model.onnx", -1, b"x")])
def test_a_part_that_does_not_belong_is_refused(packed: bundle.Bundle, part: tuple[str, int, bytes]) -> None:
    bundle.begin(packed.manifest)
    with pytest.raises(ArtifactError):
        bundle.put(packed.hash, *part)
    size = Path(packed.paths["model.onnx"]).stat().st_size
    with pytest.raises(ArtifactError):
        bundle.put(packed.hash, "model.onnx", size, b"x")
    assert "error" in device.put("../../etc", "model.onnx", 0, b"x")


def test_a_python_file_does_not_travel(tiny: Path) -> None:
    made = export.ensure(Case(zoo.resolve(str(tiny)), backends.resolve("fake"), Settings()))
    made = replace(made, kind="python", source=json.dumps({"source": "/home/me/secret_net.py:net", "params": {}}))
    packed = bundle.pack(made)
    assert "secret_net" not in packed.manifest
    assert not any(path.endswith(".py") for path in packed.paths.values())


def test_a_device_measures_one_case_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path))
    code = "from bench.measure import device\nwith device.alone(): print('mine', flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(device.Unwanted), device.alone(lambda: False):
            raise AssertionError("both hold the device")
        entered = threading.Event()

        def wait() -> None:
            with device.alone():
                entered.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.wait(2 * device.POLL_S)
        other.kill()  # whoever dies lets go
        assert entered.wait(120)
        waiting.join()


@pytest.mark.parametrize(
    ("text", "tls", "address"),
    [
        ("tcp://host:8786", False, "tcp://host:8786"),
        ("host:8786", False, "tcp://host:8786"),
        ("host:8786", True, "tls://host:8786"),
        ("[::1]:1", False, "tcp://[::1]:1"),
        ("tls://host:1", False, None),
        ("tcp://host:1", True, None),
        ("host", False, None),
        ("ucx://host:1", False, None),
        ("tcp://host:1/path", False, None),
    ],
)
def test_addresses(text: str, tls: bool, address: str | None) -> None:
    files = Tls("ca", "cert", "key") if tls else None
    if address is None:
        with pytest.raises(UsageError):
            address_of(text, files)
    else:
        assert address_of(text, files) == address


HIDDEN = "import sys; sys.modules['distributed'] = None; from bench.__main__ import main; sys.argv[0] = 'bench'; main()"


@pytest.mark.parametrize(
    "arguments",
    [("run", "--model", "shufflenetv2", "--fleet", "h:1"), ("targets", "serve", "h:1"), ("targets", "status", "h:1")],
)
def test_without_dask_one_line_says_how_to_get_it(arguments: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-c", HIDDEN, *arguments]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "pip install 'isoflops[fleet]'" in one_line_error(result)
    assert result.returncode == 2


FLEET = ("distributed", "dask", "bench.transport.dask", "bench.measure.fleet", "bench.measure.device",
         "bench.measure.bundle", "bench.measure.record", "bench.measure.upload")  # fmt: skip


def test_a_run_without_a_fleet_never_meets_dask(tiny: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "bench", "run", "--model", tiny, "--backend", "fake",
               "--launches", "1", "--output", "r.csv"]  # fmt: skip
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if "|" in line}
    assert "bench.measure.runner" in imported
    assert not {name for name in imported if name.startswith(FLEET)}


def test_two_targets_need_a_fleet(bench: Bench, tiny: Path) -> None:
    result = bench("run", "--model", tiny, "--target", "local", "--target", "local")
    assert "several targets make a --fleet" in one_line_error(result)


def test_the_hash_is_that_of_the_manifest(packed: bundle.Bundle) -> None:
    assert packed.hash == hashlib.sha256(packed.manifest.encode()).hexdigest()
