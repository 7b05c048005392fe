"""Several inferences at once: how a block of them is timed, and what each runtime does."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest

from bench import backends, export
from bench.artifact.reference import relative_l2
from bench.backends.base import Lane
from bench.backends.streams import Streams
from bench.base.errors import Unsupported
from bench.machine.environment import usable_cores
from bench.measure.runner import Runner
from bench.plan import zoo
from bench.plan.case import Case, Network, Plan, Settings
from bench.plan.protocol import Protocol
from tests.backends.plugins import WORKS, Plugins

SMALL = "shufflenetv2:width=0.5,resolution=64"
WAIT_S = 20.0  # for what would never come if lanes did not run side by side


class Scripted:
    """A lane with a clock of its own."""

    def __init__(self, ns: int) -> None:
        self.ns, self.now, self.runs, self.threads = ns, 0, 0, set()

    def infer(self) -> None:
        self.now += self.ns
        self.runs += 1
        self.threads.add(threading.get_ident())

    @property
    def lane(self) -> Lane:
        return Lane(self.infer, list, lambda: self.now)


def test_the_rates_of_lanes_add_up() -> None:
    streams = Streams([Scripted(10).lane, Scripted(30).lane])
    flow = streams.run(5)
    streams.close()
    assert flow.latency_ns == [10] * 5 + [30] * 5
    assert flow.every_ns == pytest.approx(1 / (1 / 10 + 1 / 30))


def test_a_lane_goes_on_until_all_have_done_theirs() -> None:
    """Else the last inferences of a block would have the machine to themselves."""
    quick, slow, beyond = Scripted(1), Scripted(1), threading.Event()

    def fast() -> None:
        quick.infer()
        if quick.runs > 8:
            beyond.set()

    def waiting() -> None:
        slow.infer()
        assert beyond.wait(WAIT_S)

    streams = Streams([Lane(fast, list, lambda: quick.now), Lane(waiting, list, lambda: slow.now)])
    assert len(streams.run(5).latency_ns) == 10
    streams.close()
    assert slow.runs == 5
    assert quick.runs > 8


def test_a_lead_in_is_not_counted() -> None:
    script = Scripted(1)
    streams = Streams([script.lane])
    assert streams.run(4, lead=True).latency_ns == [1] * 4
    streams.close()
    assert script.runs > 4


def test_lanes_have_threads_of_their_own_and_keep_them() -> None:
    one, two = Scripted(1), Scripted(1)
    streams = Streams([one.lane, two.lane])
    for _ in range(3):
        streams.run(2)
    streams.close()
    assert len(one.threads | two.threads) == 2
    assert threading.get_ident() not in one.threads | two.threads


def test_what_a_lane_raises_comes_out_and_nobody_waits_for_it() -> None:
    def fail() -> None:
        raise MemoryError("of a lane")

    streams = Streams([Scripted(1).lane, Lane(fail, list)])
    with pytest.raises(MemoryError, match="of a lane"):
        streams.run(3)
    assert gc.isenabled()
    streams.close()


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "torch", "fake"])
def test_every_stream_computes_the_network(backend: str) -> None:
    case = Case(
        Network(zoo.resolve(SMALL)), backends.resolve(backend), Settings(mode="throughput", streams=len(usable_cores()))
    )
    runtime = backends.get(backend)
    if not backends.installed(runtime):
        pytest.skip(f"{backend} is not installed")
    artifact = export.ensure(case.network)
    session = backends.session(runtime, artifact, case.settings, case.backend.options)
    streams = Streams(session.lanes())
    flow = streams.run(3)
    assert len(flow.latency_ns) == 3 * len(usable_cores())
    for lane in streams.lanes:
        assert relative_l2(lane.outputs(), artifact.reference()[1]) < 1e-4
    effective = session.effective()
    assert (effective.streams, effective.threads, effective.precision) == (len(usable_cores()), 1, "fp32")
    streams.close()
    session.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_onnxruntime_shares_a_session_among_streams_of_one_thread(tiny: Path, threads: int) -> None:
    ref = backends.resolve("onnxruntime")
    settings = Settings(threads, mode="throughput", streams=2)
    artifact = export.ensure(Network(zoo.resolve(str(tiny))))
    session = backends.session(backends.get("onnxruntime"), artifact, settings, ref.options)
    made = []
    load = session._load
    session._load = lambda *given: made.append(given) or load(*given)
    streams = Streams(session.lanes())
    streams.run(2)
    assert len(made) == (0 if threads == 1 else 1)
    assert all(relative_l2(lane.outputs(), artifact.reference()[1]) < 1e-5 for lane in streams.lanes)
    streams.close()


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_torch_runs_no_compiled_network_at_once() -> None:
    pytest.importorskip("torch")
    case = Case(Network(zoo.resolve(SMALL)), backends.resolve("torch:compile=true"), Settings(mode="throughput"))
    asked = Settings(mode="throughput", streams=2)
    session = backends.session(backends.get("torch"), export.ensure(case.network), asked, case.backend.options)
    with pytest.raises(Unsupported, match="only uncompiled"):
        session.lanes()


@pytest.mark.parametrize("spec", ["torch:device=cuda", "onnxruntime:device=cuda"])
def test_a_device_runs_one_inference_at_a_time(spec: str) -> None:
    """Whether there is one or not: streams on a device are not what this mode measures."""
    ref = backends.resolve(spec)
    artifact = export.ensure(Network(zoo.resolve(SMALL)))
    with pytest.raises(Unsupported, match="one inference at a time on its device"):
        backends.session(backends.get(ref.name), artifact, Settings(mode="throughput"), ref.options)


def test_a_backend_that_cannot_is_one_line(plugins: Plugins, tiny: Path) -> None:
    plugins.add("oneatatime", WORKS)
    case = Case(Network(zoo.resolve(str(tiny))), backends.resolve("oneatatime"), Settings(mode="throughput"))
    (row,) = Runner(Plan((case,), Protocol(launches=1, max_launches=1))).run()
    assert row.status == "unsupported"
    assert row.error == "the oneatatime backend runs one inference at a time (leave mode=throughput out)"
    assert row.throughput is None
    assert row.latency_ms is None
