"""A phone over adb, played by a program: what a real one adds is told in docs/targets.md."""

from __future__ import annotations

import os
import sys
import tarfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench import backends
from bench.base.errors import LinkLost, Unreachable, UsageError
from bench.cli.targets import command as targets_command
from bench.machine.environment import local
from bench.measure.runner import Observer, Runner
from bench.plan import target, zoo
from bench.plan.case import Case, cross
from bench.transport import remote, transport_to
from bench.transport.adb import AdbTransport
from bench.transport.setup import Setup, install
from bench.transport.shell import agent
from tests.transport import phone as phones
from tests.transport.phone import Phone
from tests.transport.test_everywhere import COMMANDS, Here, assert_alike, here, said, words  # noqa: F401
from tests.transport.test_ssh import QUICK, nothing_left, rows_of


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phone:
    found = phones.install(tmp_path / "phone")
    monkeypatch.setenv("PATH", f"{found.folder}:{os.environ['PATH']}")
    monkeypatch.setattr("bench.transport.shell.ANDROID_TMP", str(tmp_path))
    monkeypatch.setattr(remote, "FIRST_PAUSE_S", 0.1)
    return found


def to(phone: Phone, **keys: Any) -> AdbTransport:
    transport = transport_to(phone.target(**keys))
    assert isinstance(transport, AdbTransport)
    return transport


def test_the_phone_describes_itself_and_leaves_nothing_running(phone: Phone) -> None:
    with closing(to(phone, serial="PHONE1")) as transport:
        assert transport.environment() == local()
        assert {"system", "power", "throttling"} <= {symptom.check for symptom in transport.doctor(1)}
    assert nothing_left(transport.run)
    assert all(line.startswith("['-s', 'PHONE1', 'shell', '-T', ") for line in phone.asked())


def test_what_android_lacks_is_brought_along() -> None:
    """No /tmp, and a home that cannot be written."""
    given = agent(target.Target("p", "adb"), "0" * 16)
    assert given[:4] == [
        "env",
        "ISOFLOPS_CACHE=/data/local/tmp/isoflops/cache",
        "HOME=/data/local/tmp/isoflops",
        "TMPDIR=/data/local/tmp",
    ]
    assert "/data/local/tmp/isoflops/venv/bin/python" in given


@pytest.mark.parametrize(
    ("wrong", "keys", "says", "hint"),
    [
        ("unauthorized", {}, "does not trust this computer", "allow USB debugging"),
        ("offline", {}, "is offline for adb", "adb reconnect"),
        ("several", {}, "several devices are plugged in", "`serial` of the target"),
        ("unplugged", {}, "there is no such phone", "USB debugging on"),
        ("permissions", {}, "may not talk to the phone", "udev"),
        ("daemon", {}, "server does not start", "adb start-server"),
        ("old", {}, "needs Android 7", "newer"),
        ("", {"serial": "OTHER"}, "there is no such phone", "adb -s OTHER devices -l"),
        ("", {"python": "/no/python"}, "there is no isoflops on phone", "bench targets setup phone"),
        ("", {"python": "/bin/echo"}, "is no agent of ours", "bench targets setup phone"),
        ("", {"adb": "/no/adb"}, "there is no /no/adb on this machine", "apt-get install adb"),
    ],
)
def test_what_is_in_the_way_is_told_in_one_line(
    phone: Phone, wrong: str, keys: dict[str, Any], says: str, hint: str
) -> None:
    phone.wrong(wrong)
    with closing(to(phone, **keys)) as transport, pytest.raises(Unreachable) as caught:
        transport.hello()
    assert says in caught.value.message
    assert hint in caught.value.hint


def test_several_phones_and_a_serial(phone: Phone) -> None:
    phone.wrong("several")
    with closing(to(phone, serial="PHONE1")) as transport:
        assert transport.environment() == local()


def test_a_loose_cable_costs_nothing_but_time(tiny: Path, phone: Phone) -> None:
    cuts: list[int] = []
    events: list[str] = []
    raw: list[dict[str, Any]] = []

    def step(case: Case, replicate: int, doing: str) -> None:
        events.append(doing)
        if doing == "measuring" and events.count("measuring") == 3:
            cuts.append(phone.cut())

    with closing(to(phone)) as transport:
        rows = rows_of(tiny, transport, ["fake", "fake:latency_ms=2"], Observer(step=step, samples=raw.extend))
    assert cuts == [1]
    assert {(row.status, row.launches, row.target) for row in rows} == {("ok", 2, "phone")}
    assert set(Counter((launch["case_id"], launch["launch"]) for launch in raw).values()) == {1}
    assert nothing_left(transport.run)


def test_a_case_that_takes_the_phone_down_fails_alone(tiny: Path, phone: Phone) -> None:
    def step(case: Case, replicate: int, doing: str) -> None:
        if doing == "measuring" and "latency_ms=2" in str(case):
            phone.cut()

    with closing(to(phone)) as transport:
        rows = rows_of(tiny, transport, ["fake:latency_ms=2", "fake:latency_ms=3"], Observer(step=step))
    found = {row.backend: row for row in rows}
    assert [found[f"fake:latency_ms={ms}"].status for ms in (2, 3)] == ["failed", "ok"]
    assert "the connection to phone was lost" in (found["fake:latency_ms=2"].error or "")


def test_a_phone_that_is_unplugged_and_stays_away(tiny: Path, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE_S", 0.5)

    def step(case: Case, replicate: int, doing: str) -> None:
        if doing == "measuring":
            phone.unplug()

    with closing(to(phone)) as transport:
        rows = rows_of(tiny, transport, ["fake", "fake:latency_ms=2"], Observer(step=step))
        with pytest.raises(LinkLost, match="stays out of reach"):
            transport.reopen()
    assert {row.status for row in rows} == {"failed"}
    assert all("there is no such phone" in (row.error or "") for row in rows), [row.error for row in rows]


def test_a_full_phone_costs_the_case_a_line(tiny: Path, phone: Phone) -> None:
    phone.wrong("full")
    large = tiny.with_name("large.onnx")
    pad_with_weights(tiny, large)
    plan = cross([zoo.resolve(str(large))], [backends.resolve("fake")], target="phone", protocol=QUICK)
    with closing(to(phone)) as transport:
        (row,) = list(Runner(plan, transport=transport).run())
    assert row.status == "failed"
    assert "the artifact cannot be kept there" in (row.error or "")
    assert "\n" not in (row.error or "")


def pad_with_weights(source: Path, large: Path) -> None:
    """Give a network 64 KiB of weights that it adds to nothing: more than the full phone takes."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    name = model.graph.output[0].name
    noise = np.random.default_rng(0).random(16_384, dtype=np.float32)
    model.graph.initializer.append(numpy_helper.from_array(noise, "noise"))
    for node in model.graph.node:
        for i, output in enumerate(node.output):
            if output == name:
                node.output[i] = "before"
    model.graph.node.append(helper.make_node("ReduceSum", ["noise"], ["sum"], keepdims=0))
    model.graph.node.append(helper.make_node("Add", ["before", "sum"], [name]))
    onnx.save(model, large)


@pytest.mark.parametrize("asked", [COMMANDS[0][0], COMMANDS[2][0]], ids=["ab", "profile"])
def test_over_adb_it_is_as_here(
    words: dict[str, Path],  # noqa: F811
    here: Here,  # noqa: F811
    phone: Phone,
    asked: tuple[Any, ...],
) -> None:
    assert_alike(asked, said(asked, words, phone.file()), here(asked, words))


def userland(folder: Path) -> Path:
    """Make a userland whose Python makes environments of itself, and whose pip notes what it is asked."""
    python = folder / "bin/python3"
    python.parent.mkdir(parents=True)
    python.write_text(
        "#!/bin/sh\n"
        'if [ "$2" = venv ]; then mkdir -p "$4/bin" && cp "$0" "$4/bin/python"; exit; fi\n'
        'if [ "$2" = pip ]; then echo "$@" >>"$(dirname "$0")/pip.log"; exit 0; fi\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    return folder


def test_setup_brings_a_userland_once_and_installs_into_it(phone: Phone, tmp_path: Path) -> None:
    there = phone.target(python="", userland=str(userland(tmp_path / "land")))
    (tmp_path / "wheels").mkdir()
    lines: list[str] = []
    install(there, Setup(wheels=tmp_path / "wheels"), lines.append)
    assert any("sending the userland" in line for line in lines)
    assert any(line.startswith("phone: installed isoflops") for line in lines)
    assert (phone.there / "userland/bin/python3").exists()
    pip = (phone.there / "venv/bin/pip.log").read_text()
    assert "--no-index" in pip  # nothing there asks the network
    lines.clear()
    install(there, Setup(wheels=tmp_path / "wheels"), lines.append)
    assert any("the userland is there" in line for line in lines)
    with closing(to(phone, python="")) as transport:
        assert transport.environment() == local()
    packed = tmp_path / "land.tar"
    with tarfile.open(packed, "w") as archive:
        archive.add(tmp_path / "land", "")
    (tmp_path / "land/bin/python3").write_text("another")
    lines.clear()
    install(phone.target(python="", userland=str(packed)), Setup(wheels=tmp_path / "wheels"), lines.append)
    assert any("sending the userland" in line for line in lines)  # another tar


def test_a_userland_that_is_none_or_does_not_fit(phone: Phone, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="has no bin/python3"):
        install(phone.target(python="", userland=str(tmp_path / "empty")), Setup(), print)
    with pytest.raises(UsageError, match="cannot be read"):
        install(phone.target(python="", userland=str(tmp_path / "nothing.tar")), Setup(), print)
    land = userland(tmp_path / "land")
    (land / "large").write_bytes(os.urandom(1 << 16))
    (phone.there / "userland").mkdir()
    phone.wrong("full")
    with pytest.raises(Unreachable, match="the userland cannot be unpacked"):
        install(phone.target(python="", userland=str(land)), Setup(), print)
    assert (phone.there / "userland").exists()  # what was there before stays


def test_check_names_the_phone_and_what_spoils_its_numbers(phone: Phone) -> None:
    result = CliRunner().invoke(targets_command, ["check", str(phone.file(serial="PHONE1")), "--format", "json"])
    assert '"adb PHONE1"' in result.stdout
    assert '"throttling"' in result.stdout
