"""The far end of the line as a process, without ssh."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from bench import __version__, backends, export
from bench.artifact.artifact import Artifact
from bench.base.errors import LinkLost, MeasureError, Unreachable, Unsupported
from bench.machine.environment import local
from bench.measure.launch import Launch, runtimes
from bench.measure.pairs import collect
from bench.plan import zoo
from bench.plan.case import Case, Settings, cross
from bench.plan.protocol import PairProtocol
from tests.measure.test_worker import DEATHS
from tests.transport.piped import Piped


@pytest.fixture
def way() -> Iterator[Piped]:
    with closing(Piped()) as reach:
        yield reach


def case_of(tiny: Path, backend: str) -> tuple[Case, Artifact]:
    case = Case(zoo.resolve(str(tiny)), backends.resolve(backend), Settings())
    return case, export.ensure(case)


def children(way: Piped) -> list[psutil.Process]:
    assert way._line is not None
    return psutil.Process(way._line._process.pid).children(recursive=True)


def gone(processes: list[psutil.Process], within_s: float = 120.0) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    return not alive


def test_it_tells_what_the_machine_is(way: Piped) -> None:
    assert way.environment() == local()
    assert way.usable_cores() == sorted(os.sched_getaffinity(0))
    assert runtimes(way)["fake"]
    assert {"load", "swap", "cores"} <= {symptom["check"] for symptom in way.doctor(1)["symptoms"]}


def test_a_launch_there_is_a_launch(tiny: Path, way: Piped) -> None:
    case, artifact = case_of(tiny, "onnxruntime")
    with Launch(case, 60.0, way) as launch:
        folder = way.carry(artifact, "onnxruntime")
        assert folder != artifact.folder
        loaded = launch.load(folder, launch.choose(1, []))
        assert loaded["parity_rel_l2"] < 1e-5
        assert len(launch.ask("block", n=3000)["latency_ns"]) == 3000  # more than one read from a pipe
        assert launch.ask("inspect")["effective"]["precision"] == "fp32"
        (worker,) = children(way)
        assert worker.pid == loaded["pid"]
    assert gone([worker])
    assert way.environment() == local()  # the line is still good


@pytest.mark.parametrize(("how", "error", "says"), DEATHS)
def test_every_death_there_has_the_line_that_it_has_here(
    tiny: Path, way: Piped, how: str, error: type[MeasureError], says: str
) -> None:
    case, artifact = case_of(tiny, f"fake:fail={how},fail_at=4")
    with Launch(case, 60.0, way) as launch:
        launch.load(way.carry(artifact, "fake"), [])
        launch._timeout_s = 1.0 if how == "hang" else 60.0
        with pytest.raises(error, match=says):
            launch.ask("block", n=5)
    assert way.environment() == local()


def test_no_such_interpreter_there(tiny: Path, way: Piped) -> None:
    case, _ = case_of(tiny, "fake:python=/nowhere/python")
    with pytest.raises(Unsupported, match="cannot start /nowhere/python"):
        Launch(case, 60.0, way)


def test_only_workers_are_started(way: Piped) -> None:
    way.hello()
    assert way._line is not None
    with pytest.raises(MeasureError, match="this is no worker"):
        way._line.start("", "this", {}, 1.0)


def test_workers_end_with_the_line_even_when_they_hang(tiny: Path) -> None:
    way = Piped()
    case, artifact = case_of(tiny, "fake:fail=hang,fail_at=4")
    launch = Launch(case, 60.0, way)
    launch.load(way.carry(artifact, "fake"), [])
    launch._process.write(b'{"do": "block", "n": 5}\n')
    workers = children(way)
    assert len(workers) == 1
    way.close()
    assert gone(workers)


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_workers_end_with_their_outpost(tiny: Path, way: Piped, asked: signal.Signals) -> None:
    case, artifact = case_of(tiny, "fake:fail=hang,fail_at=4")
    launch = Launch(case, 60.0, way)
    launch.load(way.carry(artifact, "fake"), [])
    launch._process.write(b'{"do": "block", "n": 5}\n')
    workers = children(way)
    assert way._line is not None
    os.kill(way._line._process.pid, asked)
    with pytest.raises(LinkLost, match="connection to piped was lost"):
        launch._process.read(60.0)
    assert gone(workers)


def test_nobody_asks_any_more(tiny: Path) -> None:
    """A cable that stays out tells nobody there: silence that is longer than any answer may take ends all."""
    with closing(Piped("agent.GRACE_S = 0.0")) as way:
        case, artifact = case_of(tiny, "fake")
        launch = Launch(case, 2.0, way)
        workers = children(way)
        outpost = psutil.Process(way._line._process.pid)  # type: ignore[union-attr]
        assert gone([outpost, *workers])
        with pytest.raises(LinkLost):
            launch.load(artifact.folder, [])


def test_a_new_line_of_the_same_run_ends_the_old_one(tiny: Path, way: Piped) -> None:
    other = Piped()
    other.run = way.run
    case, _ = case_of(tiny, "fake")
    Launch(case, 60.0, way)
    assert way._line is not None
    old = [psutil.Process(way._line._process.pid), *children(way)]
    stranger = Piped()
    with closing(other), closing(stranger):
        stranger.hello()
        other.hello()
        assert gone(old)
        assert children(stranger) == []
        assert stranger._line is not None
        assert stranger._line._process.poll() is None


def test_another_version_is_told() -> None:
    with closing(Piped("agent.__version__ = '0.0.9'")) as way:
        with pytest.raises(Unreachable, match=rf"isoflops 0.0.9 is on piped, and {__version__} here") as caught:
            way.hello()
        assert caught.value.hint == "bench targets setup piped"


def test_pairs_take_turns_there_and_survive_a_cut(tiny: Path, way: Piped) -> None:
    plan = cross([zoo.resolve(str(tiny))], [backends.resolve(f"fake:latency_ms={ms}") for ms in (1, 2)])
    protocol = PairProtocol(first=3, most=3, quads=2)
    numbers = []

    def told(pair: object) -> None:
        numbers.append(pair.number)  # type: ignore[attr-defined]
        if len(numbers) == 1:
            assert way._line is not None
            way._line._process.kill()

    pairs = collect(*plan.cases, protocol, told, reach=way)
    assert numbers == [0, 1, 2]
    assert [round(pair.log_ratio, 3) for pair in pairs] == [0.693] * 3
