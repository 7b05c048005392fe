"""The worker's part of a launch: one case is loaded, warmed, timed in blocks, read back and let go of."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import backends
from bench.artifact import artifact as artifacts
from bench.artifact.reference import relative_l2, top1_agrees
from bench.backends import ran
from bench.backends.answers import Block, Closed, Energy, Inspected, Load
from bench.backends.base import Array, Options
from bench.backends.loop import lead_in, time_block, time_paced
from bench.backends.streams import Streams
from bench.base.errors import Unsupported
from bench.base.process import hidden_settings, peak_rss_bytes
from bench.machine import board, counters, meters, systems
from bench.machine.cores import pin, quietest
from bench.machine.environment import emulated, usable_cores
from bench.machine.heat import read as read_heat
from bench.machine.threads import count_computing
from bench.machine.workload import ReferenceWorkload, Workload
from bench.measure import energy, profiling
from bench.plan.case import Settings
from bench.plan.protocol import THROUGHPUT


class Measurer:
    """One launch of one case: it answers one request after another, in the order of a launch."""

    def runtimes(self) -> dict[str, bool]:
        """Say which backends have their runtime here."""
        return {backend.name: backends.installed(backend) for backend in backends.working()}

    def version(self, backend: str) -> dict[str, str]:
        """Say which version of a backend's runtime is installed here, without importing it."""
        return {"version": next(iter(backends.get(backend).versions().values()), "")}

    def meter(self, name: str) -> dict[str, str]:
        """Say that a meter of that name is known here, whether or not it tells anything; UnknownName if not."""
        meters.check(name)
        return {"meter": name}

    def choose(self, threads: int, allowed: list[int]) -> dict[str, list[int]]:
        """Pick the quietest of the allowed cores (all usable ones, if the list is empty); no `threads` ask for all."""
        allowed = allowed or usable_cores()
        return {"cores": quietest(threads or len(allowed), allowed)}

    def load(
        self, artifact: str, backend: str, options: Options, settings: object, cores: list[int], given: list[str]
    ) -> dict[str, object]:
        """Import the runtime, load the artifact, run the first two inferences, compare the output.

        Where several run at once that of every stream is compared, and the worst counts.
        """
        asked = Settings.read(settings)
        streams = asked.streams_on(len(cores or usable_cores()))
        pinned = pin(cores[-streams * asked.threads :])
        self.cores = pinned.cores
        self.artifact = artifacts.load(Path(artifact))
        self.backend = backends.get(backend)
        self.pace_ns, self.computing = round((asked.pace_ms or 0) * 1e6), asked.threads * streams
        self.at_once = asked.mode == THROUGHPUT
        asked = replace(asked, streams=streams) if self.at_once else asked
        begin = time.perf_counter_ns()
        try:
            self.backend.import_runtime()
        except ImportError as error:
            raise Unsupported(
                f"the runtime of backend {backend!r} cannot be imported: {error}", self.backend.install_hint()
            ) from error
        imported = time.perf_counter_ns()
        self.load_session = partial(backends.session, self.backend, self.artifact, asked, options)
        # What is scripted, or runs elsewhere, is not slowed by this machine's heat.
        self.throttling = None if self.backend.capabilities.scripted else board.Throttling()
        self.firmware = board.asked() if self.throttling is not None else None
        self.session = self.load_session()
        loaded = time.perf_counter_ns()
        self.workload: Workload = self.session.clocks.workload or ReferenceWorkload()
        self._read_clocks()
        (first, second), _ = time_block(self.session.infer, 2, self.clock, self.device_ns)
        _, reference = self.artifact.reference()
        found = [self.session.outputs()]
        self._start_streams()
        found += self._outputs() if self.streams is not None else []
        return {
            "pid": os.getpid(),
            "cores": self.cores,
            "unpinned": pinned.why_not,
            "hidden": [name for name in hidden_settings(os.environ) if name not in given],
            "emulated": emulated(),
            "untold": systems.said_untold(),
            "import_ns": imported - begin,
            "load_ns": loaded - imported,
            "compile_ns": self.session.compile_ns,
            "canary": self.workload.identity,
            "first_ns": first,
            "second_ns": second,
            "parity_rel_l2": max(relative_l2(outputs, reference) for outputs in found),
            "parity_top1": all(top1_agrees(outputs, reference) for outputs in found),
            "streams": streams,
        }

    def _start_streams(self) -> None:
        """Let the session's lanes run a first time, where several are to run at once."""
        self.streams = Streams(self.session.lanes()) if self.at_once else None
        if self.streams is not None:
            self.streams.run(2)

    def _outputs(self) -> list[list[Array]]:
        """Return the output of the last inference; where several run at once, that of every lane."""
        return [self.session.outputs()] if self.streams is None else [lane.outputs() for lane in self.streams.lanes]

    def _times(self, n: int) -> list[int]:
        """Run `n` inferences, in each stream where there are several; return their latencies in ns."""
        if self.streams is not None:
            return self.streams.run(n).latency_ns
        return time_block(self.session.infer, n, self.clock, self.device_ns)[0]

    def reload(self) -> dict[str, int]:
        """Load the model anew in this process, so that its memory lands elsewhere, and run three inferences."""
        self._let_go()
        begin = time.perf_counter_ns()
        self.session = self.load_session()
        loaded = time.perf_counter_ns()
        self.workload = self.session.clocks.workload or self.workload
        self._read_clocks()
        self._start_streams()
        self._times(3)
        return {"load_ns": loaded - begin}

    def _let_go(self) -> None:
        """Let go of the session, and of the threads that call it."""
        if self.streams is not None:
            self.streams.close()
            self.streams = None
        self.session.close()

    def _read_clocks(self) -> None:
        self.clock, self.device_ns = self.session.clocks.now, self.session.clocks.device_ns

    def warm(self, ms: float, least: int, block_ms: float, block_least: int) -> dict[str, object]:
        """Warm up by time and number, then say how many inferences make a block, or a stream's part of it.

        The number is found twice, the second time warm, because the first one is still part of the warming.
        """
        latencies: list[int] = []
        streams = 1 if self.streams is None else len(self.streams.lanes)
        while len(latencies) < least * streams or sum(latencies) < ms * 1e6 * streams:
            latencies += self._times(1)
        tail = sorted(self._times(3))
        n = max(block_least, round(block_ms * 1e6 / max(tail[len(tail) // 2], self.pace_ns, 1)))
        return {"n": min(n, 100_000), "warmup_ns": latencies[:1000]}

    def block(self, n: int, heat: bool = False) -> Block:
        """Time one block of `n` inferences, or as many in each stream, after a lead-in that is not timed.

        With `heat` clock and temperature are read after it.
        """
        if not self.pace_ns and self.streams is None:
            lead_in(self.session.infer)
        device = self.session.device
        readings = [] if device is None else [device.reading()]
        throttling = self.throttling if device is None and self.device_ns is None else None
        cool = throttling.reading() if throttling is not None else {}
        workload = [self.workload.before()]
        before = counters.read(self.cores)
        late = host = flow = None
        if self.streams is not None:
            flow = self.streams.run(n, lead=True)
            latencies = flow.latency_ns
        elif self.pace_ns:
            sleep = self.session.clocks.sleep
            latencies, late = time_paced(self.session.infer, n, self.pace_ns, self.clock, sleep)
        else:
            latencies, host = time_block(self.session.infer, n, self.clock, self.device_ns)
        after = counters.read(self.cores)
        if device is not None:
            readings.append(device.reading())
        workload.append(self.workload.after())
        answer: Block = {
            "latency_ns": latencies,
            "covariates": counters.difference(before, after),
            "start_ns": before["wall_ns"],
            "canary": workload,
            "scripted": self.backend.capabilities.scripted,
        }
        slowed = throttling.between(cool, throttling.reading()) if throttling is not None else []
        if slowed:
            answer["slowed"] = slowed
        if device is not None:
            answer["device"] = readings
        if heat:
            told = self.session.clocks.heat
            answer["heat"] = read_heat(self.cores) if told is None else told()
        if host is not None:
            answer["host_ns"] = host
        if late is not None:
            answer["late_ns"] = late
        if flow is not None:
            answer["sample_ns"] = flow.every_ns / self.artifact.batch
            answer["cpu_share"] = flow.cpu_share
        return answer

    def inspect(self) -> Inspected:
        """Read back what really ran. After the measuring, because it may load the model a second time."""
        operators = self.session.operators() if self.backend.capabilities.graph else None
        effective = self.session.effective()
        answer = ran.inspected(operators, effective, self._busy_threads(), self._parity())
        if self.session.device is not None:
            answer["device"] = self.session.device.facts()
            answer["energy_mj"] = energy.per_inference_mj(self.session.infer, self.session.device.energy_mj)
        return answer

    def energy(self, meter: str) -> Energy:
        """Measure the energy of an inference, by the meter of that name; say why, where there is none."""
        if self.backend.capabilities.scripted:
            return energy.failed("this backend plays a script, and computes nothing")
        if self.streams is not None:
            return energy.failed("it is told of one inference at a time, not of --mode throughput")
        return energy.told_by(meter, self.session)

    def _busy_threads(self) -> int | None:
        """Count the threads that compute while inferences run; None where that is not asked or nothing tells."""
        on_device = self.session.device is not None or self.device_ns is not None
        if self.computing == 1 or self.backend.capabilities.scripted or on_device:
            return None
        return count_computing(lambda: self._times(1), self.computing)

    def profile(self, rounds: int, n: int, twin_first: bool) -> Load:
        """Let unprofiled and profiled blocks take turns; answer with raw numbers.

        With `twin_first` the session is loaded anew after its profiled twin: memory favours what was loaded first.
        """
        profiler = profiling.start(self.backend, self.session)
        if twin_first:
            self.reload()
        return profiling.profile(self.session, profiler, rounds, n, self.clock, self.device_ns)

    def close(self) -> Closed:
        """Look at the last output, and let go of the session."""
        answer: Closed = {"peak_rss_bytes": peak_rss_bytes(), "parity_rel_l2": self._parity()}
        if self.firmware is not None:
            answer["slowed"] = board.slowed(self.firmware, board.asked())
        self._let_go()
        return answer

    def _parity(self) -> float:
        """Return how far the last inference's output is from the reference: the first may be right and others wrong."""
        reference = self.artifact.reference()[1]
        return max(relative_l2(outputs, reference) for outputs in self._outputs())
