"""The far end of the connection as a process, without ssh."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from bench import __version__, backends, export
from bench.artifact.artifact import Artifact
from bench.backends.answers import Block, Inspected
from bench.base.errors import LinkLost, MeasureError, Unreachable, Unsupported, UsageError, WorkerCrashed
from bench.machine.environment import local
from bench.measure.launch import Launch, runtimes
from bench.measure.pairs import collect
from bench.plan import zoo
from bench.plan.case import Case, Network, cross
from bench.plan.protocol import PairProtocol
from bench.transport.messages import Hold
from tests.measure.test_worker import DEATHS
from tests.transport.piped import Piped


@pytest.fixture
def transport() -> Iterator[Piped]:
    with closing(Piped()) as transport:
        yield transport


def case_of(tiny: Path, backend: str) -> tuple[Case, Artifact]:
    case = Case(Network(zoo.resolve(str(tiny))), backends.resolve(backend))
    return case, export.ensure(case.network)


def children(transport: Piped) -> list[psutil.Process]:
    assert transport._connection is not None
    return psutil.Process(transport._connection._process.pid).children(recursive=True)


def gone(processes: list[psutil.Process], within_s: float = 120.0) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    return not alive


def test_it_tells_what_the_machine_is(transport: Piped) -> None:
    assert transport.environment() == local()
    assert transport.usable_cores() == sorted(os.sched_getaffinity(0))
    assert runtimes(transport)["fake"]
    assert {"load", "swap", "cores"} <= {symptom.check for symptom in transport.doctor(1)}


def test_a_launch_there_is_a_launch(tiny: Path, transport: Piped) -> None:
    case, artifact = case_of(tiny, "onnxruntime")
    with Launch(case, 60.0, transport) as launch:
        folder = transport.upload(artifact, "onnx")
        assert folder != artifact.folder
        loaded = launch.load(folder, launch.choose(1, []))
        assert loaded["parity_rel_l2"] < 1e-5
        assert len(launch.ask("block", Block, n=3000)["latency_ns"]) == 3000  # more than one read from a pipe
        assert launch.ask("inspect", Inspected)["effective"]["precision"] == "fp32"
        (worker,) = children(transport)
        assert worker.pid == loaded["pid"]
    assert gone([worker])
    assert transport.environment() == local()  # the connection is still good


@pytest.mark.parametrize(("how", "error", "says"), DEATHS)
def test_every_death_there_has_the_line_that_it_has_here(
    tiny: Path, transport: Piped, how: str, error: type[MeasureError], says: str
) -> None:
    case, artifact = case_of(tiny, f"fake:fail={how},fail_at=4")
    with Launch(case, 60.0, transport) as launch:
        launch.load(transport.upload(artifact, "onnx"), [])
        launch._timeout_s = 1.0 if how == "hang" else 60.0
        with pytest.raises(error, match=says):
            launch.ask("block", Block, n=5)
    assert transport.environment() == local()


def test_no_such_interpreter_there(tiny: Path, transport: Piped) -> None:
    case, _ = case_of(tiny, "fake:python=/nowhere/python")
    with pytest.raises(Unsupported, match="cannot start /nowhere/python"):
        Launch(case, 60.0, transport)


def test_only_workers_are_started(transport: Piped) -> None:
    transport.hello()
    assert transport._connection is not None
    with pytest.raises(UsageError, match="this is no worker"):
        transport._connection.start("", "this", {}, 1.0)


def test_workers_end_with_the_line_even_when_they_hang(tiny: Path) -> None:
    transport = Piped()
    case, artifact = case_of(tiny, "fake:fail=hang,fail_at=4")
    launch = Launch(case, 60.0, transport)
    launch.load(transport.upload(artifact, "onnx"), [])
    launch._process.write(b'{"do": "block", "n": 5}\n')
    workers = children(transport)
    assert len(workers) == 1
    transport.close()
    assert gone(workers)


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_workers_end_with_their_agent(tiny: Path, transport: Piped, asked: signal.Signals) -> None:
    case, artifact = case_of(tiny, "fake:fail=hang,fail_at=4")
    launch = Launch(case, 60.0, transport)
    launch.load(transport.upload(artifact, "onnx"), [])
    launch._process.write(b'{"do": "block", "n": 5}\n')
    workers = children(transport)
    assert transport._connection is not None
    os.kill(transport._connection._process.pid, asked)
    with pytest.raises(LinkLost, match="connection to piped was lost"):
        launch._process.read(60.0)
    assert gone(workers)


def test_nobody_asks_any_more(tiny: Path) -> None:
    """A cable that stays out tells nobody there: silence that is longer than any answer may take ends all."""
    with closing(Piped("agent.GRACE_S = 0.0")) as transport:
        case, artifact = case_of(tiny, "fake")
        launch = Launch(case, 2.0, transport)
        workers = children(transport)
        agent = psutil.Process(transport._connection._process.pid)  # type: ignore[union-attr]
        assert gone([agent, *workers])
        with pytest.raises(LinkLost):
            launch.load(artifact.folder, [])


def test_a_new_connection_of_the_same_run_ends_the_old_one(tiny: Path, transport: Piped) -> None:
    other = Piped()
    other.run = transport.run
    case, _ = case_of(tiny, "fake")
    Launch(case, 60.0, transport)
    assert transport._connection is not None
    old = [psutil.Process(transport._connection._process.pid), *children(transport)]
    stranger = Piped()
    with closing(other), closing(stranger):
        stranger.hello()
        other.hello()
        assert gone(old)
        assert children(stranger) == []
        assert stranger._connection is not None
        assert stranger._connection._process.poll() is None


@pytest.mark.parametrize("said", ["print('Last login: today')", "print('$ ', end='', flush=True)"])
def test_a_chatty_login_shell_is_ignored(said: str) -> None:
    with closing(Piped(said)) as transport:
        assert transport.environment() == local()


@pytest.mark.parametrize("said", ["0 {}", '0 {"is": "answer", "ok": 5}', "{}", '{"ok": 5}', "Last login: today"])
def test_a_broken_protocol_is_one_line_that_quotes_it(said: str, tiny: Path) -> None:
    spoken = f"os.write(1, agent.wire.MARK + {said.encode()!r} + bytes([10])); import time; time.sleep(60)"
    with closing(Piped(f"import os; {spoken}")) as transport, pytest.raises(Unreachable) as caught:
        transport.hello()
    quoted = "5" if "answer" in said else said  # of an answer, what was to be of use
    assert f"isoflops: {quoted!r}" in caught.value.message
    if "answer" in said:
        return  # to nothing that was asked: it would only be out of turn
    later = f"agent.Agent._hand_on = lambda self, id: os.write(self._sink, {said.encode()!r} + bytes([10]))"
    with closing(Piped(f"import os; {later}")) as transport:
        case, _ = case_of(tiny, "fake")
        with Launch(case, 60.0, transport) as launch, pytest.raises((WorkerCrashed, LinkLost)):
            launch.choose(1, [])
        assert transport._connection is not None
        assert transport._connection.dead
        transport.hello()


def test_who_hangs_up_without_a_word_is_quoted() -> None:
    words = "print('This account is closed.', flush=True); sys.exit(1)"
    with closing(Piped(words)) as transport, pytest.raises(Unreachable, match=r"left with 1: This account is closed"):
        transport.hello()


def test_one_connection_holds_the_device_at_a_time(transport: Piped) -> None:
    other = Piped()
    with closing(other):
        with transport.alone():
            connection = other._connected()
            connection.send(Hold())
            connection._until(lambda: bool(connection._answers), 1.0)
            assert not connection._answers
        connection._until(lambda: bool(connection._answers), 120.0)
        assert connection._answers
        connection._answers.clear()
        other.close()  # and the kernel lets go of it
        with transport.alone():
            assert transport._alone


def test_another_build_of_the_same_version_is_told() -> None:
    with closing(Piped("agent.wheel.program = lambda: '0' * 64")) as transport:
        with pytest.raises(Unreachable, match="but of another build") as caught:
            transport.hello()
        assert caught.value.hint == "bench targets setup piped"


def test_another_version_is_told() -> None:
    with closing(Piped("agent.__version__ = '0.0.9'; agent.wheel.program = lambda: '0' * 64")) as transport:
        with pytest.raises(
            Unreachable, match=re.escape(f"isoflops 0.0.9 is on piped, and {__version__} here")
        ) as caught:
            transport.hello()
        assert caught.value.hint == "bench targets setup piped"


def test_pairs_take_turns_there_and_survive_a_cut(tiny: Path, transport: Piped) -> None:
    plan = cross([zoo.resolve(str(tiny))], [backends.resolve(f"fake:latency_ms={ms}") for ms in (1, 2)])
    protocol = PairProtocol(first=3, most=3, quads=2)
    numbers = []

    def told(pair: object) -> None:
        numbers.append(pair.number)  # type: ignore[attr-defined]
        if len(numbers) == 1:
            assert transport._connection is not None
            transport._connection._process.kill()

    pairs = collect(*plan.cases, protocol, told, transport=transport)
    assert numbers == [0, 1, 2]
    assert [round(pair.log_ratio, 3) for pair in pairs] == [0.693] * 3
