"""Over a real ssh, to a real sshd."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import backends
from bench.base.errors import LinkLost, Unreachable
from bench.machine.environment import local
from bench.measure.runner import Observer, Runner
from bench.plan import target, zoo
from bench.plan.case import Case, cross
from bench.plan.protocol import Protocol
from bench.rows.schema import Row
from bench.transport import remote, transport_to
from bench.transport.ssh import Ssh, SshTransport, why
from tests.transport import sshd
from tests.transport.sshd import Sshd

QUICK = Protocol(launches=2, max_launches=2, rounds=2, live=3)


def open_transport(path: Path, **keys: Any) -> SshTransport:
    transport = transport_to(replace(target.resolve(str(path)), **keys))
    assert isinstance(transport, SshTransport)
    return transport


def nothing_left(run: str) -> bool:
    """Wait until no process of that run is there; what a cut left may take a moment to notice."""
    end = time.monotonic() + 120
    while any(run in line for line in sshd.left_there()):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_the_device_describes_itself(server: Sshd) -> None:
    with closing(open_transport(server.target())) as transport:
        assert transport.environment() == local()
    assert nothing_left(transport.run)


@pytest.mark.parametrize(
    ("keys", "says", "hint"),
    [
        ({"host": "nowhere.invalid"}, "there is no host nowhere.invalid", "Host in"),
        ({"port": 1}, "refuses the connection", "is sshd running"),
        ({"user": "nobody-such"}, "refuses the key", "ssh-copy-id"),
        ({"python": "/no/python"}, "there is no isoflops on loop", "bench targets setup loop"),
        ({"python": "/bin/true"}, "is no agent of ours", "bench targets setup loop"),
        ({"python": "/bin/echo"}, "is no agent of ours", "bench targets setup loop"),
        ({"config": "/no/config"}, "ssh cannot read `config`", "check the path"),
    ],
)
def test_what_is_in_the_way_is_told_in_one_line(server: Sshd, keys: dict[str, Any], says: str, hint: str) -> None:
    with closing(open_transport(server.target(), **keys)) as transport, pytest.raises(Unreachable) as caught:
        transport.hello()
    assert says in caught.value.message
    assert hint in caught.value.hint


def test_a_changed_and_an_unknown_host_key_are_refused(own_server: Sshd) -> None:
    known = own_server.folder / "known"
    right = known.read_text()
    own_server.folder.joinpath("other").mkdir()
    other = (own_server.folder / "key.pub").read_text()  # a key, but not the host's
    known.write_text(f"[127.0.0.1]:{own_server.port} {other}")
    path = own_server.target()
    with (
        closing(open_transport(path)) as transport,
        pytest.raises(Unreachable, match=r"host key of 127\.0\.0\.1 has changed"),
    ):
        transport.hello()
    known.write_text("")
    with closing(open_transport(path)) as transport, pytest.raises(Unreachable, match="is not known yet") as caught:
        transport.hello()
    assert "compare the fingerprint: ssh -F" in caught.value.hint
    assert known.read_text() == ""  # and none is taken on trust
    known.write_text(right)
    with closing(open_transport(path)) as transport:
        transport.hello()


def test_a_wrong_key_is_refused(own_server: Sshd) -> None:
    (own_server.folder / "authorized").write_text("")
    with closing(open_transport(own_server.target())) as transport, pytest.raises(Unreachable, match="refuses the key"):
        transport.hello()


def test_every_word_arrives_as_it_is(server: Sshd, tmp_path: Path) -> None:
    """A folder whose name means something to a shell, and a wrapper in it that says what came."""
    folder = tmp_path / "it's a $(touch x) & \\ folder"
    folder.mkdir()
    python = folder / "python"
    python.write_text(f'#!/bin/sh\necho Welcome\nprintf "$ "\nexec {sys.executable} "$@"\n')  # and a chatty one
    python.chmod(0o755)
    with closing(open_transport(server.target(), python=str(python), folder=str(folder))) as transport:
        assert transport.environment() == local()
        assert transport._connection is not None


def test_a_login_shell_that_greets_is_not_taken_for_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = tmp_path / "ssh"
    shell.write_text('#!/bin/sh\necho "Last login: today"\nfor last; do :; done\nexec sh -c "$last"\n')
    shell.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with closing(Ssh(target.Target("board", "ssh", host="b"))) as ssh:
        assert ssh.run('cat; echo "$1"; exit 3', "a  b", data=b"in ", timeout_s=30)[:2] == (3, "in a  b\n")
        shell.write_text('#!/bin/sh\necho "This account is not available."\n')
        with pytest.raises(Unreachable, match=r"on board is no shell: This account is not available"):
            ssh.run("true", timeout_s=30)


def test_what_ssh_says_without_a_known_cause_is_passed_on() -> None:
    board = target.Target("board", "ssh", host="b", user="me")
    assert "kex failed" in why(board, "debug\nkex failed\n").message
    assert why(board, "").hint == "try ssh me@b"


def rows_of(tiny: Path, transport: remote.Remote, specs: list[str], observer: Observer) -> list[Row]:
    plan = cross([zoo.resolve(str(tiny))], [backends.resolve(s) for s in specs], target=transport.name, protocol=QUICK)
    rows = list(Runner(plan, observer=observer, transport=transport).run())
    assert Counter(row.backend for row in rows) == Counter(case.backend.canonical for case in plan.cases)
    return rows


def test_a_cut_link_costs_nothing_but_time(tiny: Path, own_server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "FIRST_PAUSE_S", 0.2)
    cuts: list[int] = []
    events: list[str] = []
    raw: list[dict[str, Any]] = []

    def step(case: Case, replicate: int, doing: str) -> None:
        events.append(doing)
        if (doing == "measuring" and events.count("measuring") in (3, 10)) or len(events) == 2:
            cuts.append(own_server.cut())

    specs = [f"fake:latency_ms={i}" for i in range(1, 4)]
    with closing(open_transport(own_server.target())) as transport:
        rows = rows_of(tiny, transport, specs, Observer(step=step, samples=raw.extend))
    assert len(cuts) == 3
    assert all(cuts)
    assert events.count("connecting anew for") >= 3
    assert {(row.status, row.launches, row.blocks, row.target) for row in rows} == {("ok", 2, 4, "loop")}
    launches = Counter((launch["case_id"], launch["launch"]) for launch in raw)
    assert set(launches.values()) == {1}
    assert len(launches) == 6
    assert nothing_left(transport.run)


def test_a_case_that_takes_the_device_down_fails_alone(
    tiny: Path, own_server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "FIRST_PAUSE_S", 0.1)

    def step(case: Case, replicate: int, doing: str) -> None:
        if doing == "measuring" and "latency_ms=2" in str(case):
            own_server.cut()

    with closing(open_transport(own_server.target())) as transport:
        rows = rows_of(tiny, transport, ["fake:latency_ms=2", "fake:latency_ms=3"], Observer(step=step))
    found = {row.backend: row for row in rows}
    assert [found[f"fake:latency_ms={ms}"].status for ms in (2, 3)] == ["failed", "ok"]
    assert "the connection to loop was lost" in (found["fake:latency_ms=2"].error or "")
    assert found["fake:latency_ms=3"].launches == 2


def test_a_device_that_stays_away(tiny: Path, own_server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE_S", 1.0)
    monkeypatch.setattr(remote, "FIRST_PAUSE_S", 0.2)

    def step(case: Case, replicate: int, doing: str) -> None:
        if doing == "measuring" and own_server.process.poll() is None:
            own_server.stop()

    specs = [f"fake:latency_ms={i}" for i in range(1, 7)]
    with closing(open_transport(own_server.target())) as transport:
        transport.hello()
        assert isinstance(transport._shell, Ssh)
        folder = transport._shell._folder
        rows = rows_of(tiny, transport, specs, Observer(step=step))
        with pytest.raises(LinkLost, match="stays out of reach"):
            transport.reopen()
    assert {row.status for row in rows} == {"failed"}, rows
    assert all("stays out of reach" in (row.error or "") for row in rows), [row.error for row in rows]
    assert all("refuses the connection" in (row.error or "") for row in rows)
    assert not Path(folder).exists()
    assert nothing_left(transport.run)
