"""The conformance kit: tries everything that the program will ask of a backend, and says what it found.

    from bench.backends.testing import check

    def test_my_backend():
        print(check("mine"))

or ``python -m bench.backends.testing mine``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench import backends
from bench.artifact.artifact import Artifact
from bench.artifact.reference import relative_l2
from bench.backends import corrupt, prepare
from bench.backends.base import PARITY_TOLERANCE, Effective, Options, Session
from bench.backends.loop import time_block
from bench.backends.sample import sample
from bench.backends.streams import Streams
from bench.backends.tolerance import allowed
from bench.base.errors import BenchError, Unsupported, UsageError, first_line
from bench.base.words import counted
from bench.machine.environment import usable_cores
from bench.plan.case import BackendRef, Settings
from bench.plan.protocol import LATENCY, THROUGHPUT


class Nonconforming(AssertionError):
    """A backend does not do what the contract asks; the text is the whole report."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried, whether it went well, and what there is to say of it."""

    name: str
    passed: bool
    said: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, a line each."""

    backend: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether everything went well."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        lines = [f"{'ok    ' if c.passed else 'FAILED'} {c.name}: {c.said}" for c in self.checks]
        return "\n".join([f"{self.backend}:", *lines])


def check(spec: str, artifact: Artifact | None = None, threads: Sequence[int] = (1, 2)) -> Report:
    """Try a registered backend, ``NAME[:key=value,...]``, on a small network or on `artifact`.

    Raises:
        Nonconforming: something is not as the contract has it.
        UsageError: it needs an `artifact`, because it takes no ONNX file.
        BenchError: it is unknown, broken, or its runtime is not installed.
    """
    ref = backends.resolve(spec)
    if artifact is None and backends.get(ref.name).capabilities.takes == "module":
        raise UsageError(f"{ref.name} takes no ONNX file", "give check() an artifact: bench.export.ensure(case)")
    report = _Kit(spec, ref, artifact or sample(), threads).run()
    if not report.passed:
        raise Nonconforming(str(report))
    return report


@dataclass
class _Kit:
    spec: str
    ref: BackendRef
    artifact: Artifact
    threads: Sequence[int]

    def run(self) -> Report:
        self.backend = backends.get(self.ref.name)
        can = self.backend.capabilities
        steps: list[tuple[str, Callable[[], str], bool]] = [
            ("runtime", self.runtime, True),
            ("prepare", self.prepare, self.backend.converts(self.ref.options) is not None),
            ("parity", self.parity, True),
            ("repeated inference", self.repeated, True),
            ("a second session", self.second, True),
            ("read-back", self.read_back, True),
            ("graph", self.graph, can.graph),
            ("profiler", self.profiler, can.profiles),
            ("threads", self.several_threads, True),
            ("streams", self.at_once, can.streams),
            ("close and load anew", self.anew, True),
            ("options", self.options, True),
            ("a corrupt file", self.corrupt, not can.scripted),
        ]
        checks: list[Check] = []
        for name, step in [(name, step) for name, step, wanted in steps if wanted]:
            try:
                checks.append(Check(name, True, step()))
            except Exception as error:  # a backend may raise anything
                own = isinstance(error, (BenchError, Nonconforming))
                said = str(error) if own else f"{type(error).__name__}: {first_line(error)}"
                checks.append(Check(name, False, said))
                if name in ("runtime", "prepare"):
                    break  # nothing can be loaded after that
        return Report(self.spec, tuple(checks))

    def load(self, threads: int = 1, options: Options | None = None, streams: int | None = None) -> Session:
        ref = self.ref if options is None else replace(self.ref, options=options)
        ready = prepare.ensure(self.artifact, ref)
        settings = Settings(threads, mode=LATENCY if streams is None else THROUGHPUT, streams=streams)
        session = backends.session(self.backend, ready, settings, ref.options)
        session.infer()
        return session

    def ready(self) -> Artifact:
        return prepare.ensure(self.artifact, self.ref)

    def worst(self, session: Session) -> float:
        return relative_l2(session.outputs(), self.ready().reference()[1])

    def runtime(self) -> str:
        self.backend.import_runtime()
        return " ".join(f"{k} {v}" for k, v in self.backend.versions().items()) or "none"

    def prepare(self) -> str:
        self.ready()
        again: list[bool] = []
        files = prepare.ensure(self.artifact, self.ref, lambda: again.append(True)).converted
        _must(not again, "it was converted a second time: do its versions change from call to call?")
        return ", ".join(f"{file.name} ({file.bytes} bytes)" for file in files)

    def parity(self) -> str:
        session = self.load()
        outputs = session.outputs()
        told = [(str(y.dtype), y.shape) for y in outputs]
        wanted = [(info.dtype, info.shape) for info in self.artifact.outputs]
        _must(told == wanted, f"outputs are {told}, and should be {wanted}")
        error, precision = self.worst(session), session.effective().precision
        tolerance = allowed(self.ready(), precision)
        session.close()
        _must(error <= tolerance, f"relative L2 error {error:.2g} in {precision}, and {tolerance:g} is allowed")
        return f"relative L2 error {error:.1g} in {precision}"

    def repeated(self) -> str:
        session = self.load()
        first = [np.array(y) for y in session.outputs()]
        clocks = session.clocks
        latencies, _ = time_block(session.infer, 5, clocks.now, clocks.device_ns)
        error = relative_l2(session.outputs(), first)
        session.close()
        _must(error < 1e-5, f"the same inference gives another output: relative L2 {error:.2g}")
        _must(all(ns > 0 for ns in latencies), f"latencies in ns are {latencies}")
        return f"5 inferences, the fastest {min(latencies) / 1e6:.3g} ms"

    def second(self) -> str:
        one, two = self.load(), self.load()
        two.close()
        before = self.worst(one)
        one.infer()
        after = self.worst(one)
        one.close()
        _must(abs(after - before) < 1e-5, "a session changes when another one closes: do they share a buffer?")
        return "two at once do not disturb each other"

    def read_back(self) -> str:
        session = self.load()
        told = session.effective()
        session.close()
        _must(isinstance(told, Effective), f"effective() returned a {type(told).__name__}")
        _must(told.version, "it does not tell its version")
        _must(told.device, "it does not tell its device")
        known = (*PARITY_TOLERANCE, "unknown")
        _must(told.precision in known, f"the precision {told.precision!r} is none of {', '.join(known)}")
        _must(told.placement.delegate or not told.placement.fault(), told.placement.fault())
        return f"{told.version} on {told.placement.device}, {told.precision}"

    def graph(self) -> str:
        session = self.load()
        operators = session.operators()
        session.close()
        macs = sum(op.macs or 0 for op in operators)
        hidden = any(op.opaque for op in operators) or self.artifact.uncounted
        _must(operators, "no operator: a backend that cannot tell its graph leaves capabilities.graph False")
        _must(hidden or macs == self.artifact.macs, f"its graph has {macs} MACs, the source {self.artifact.macs}")
        return f"{counted(len(operators), 'operator')}, {macs} MACs"

    def profiler(self) -> str:
        session = self.load()
        try:
            profiler = session.profiler()
        except Unsupported as error:
            if self.ref.canonical == self.ref.name:
                raise  # it declares a profiler, and has none with any options
            return f"refused with these options: {error.message}"
        _must(len(profiler.block(3)) == 3, "a block of 3 has not 3 latencies")
        operators = profiler.read().operators
        session.infer()
        session.close()
        _must(operators, "no operator has a time")
        _must(all(ns >= 0 for op in operators for ns in op.raw_ns), "an operator has a negative time")
        return f"times of {counted(len(operators), 'operator')}"

    def several_threads(self) -> str:
        told: dict[int, int | None] = {}
        cores = len(usable_cores())  # a runtime may start no more threads than that, whatever is asked
        for asked in (threads for threads in self.threads if threads <= cores):
            session = self.load(asked)
            effective = session.effective()
            session.close()
            if effective.device == "cpu":
                told[asked] = effective.threads
        wrong = {asked: ran for asked, ran in told.items() if ran not in (asked, None)}
        said = [f"asked for {counted(asked, 'thread')}, {ran} computed" for asked, ran in wrong.items()]
        _must(not wrong, "; ".join(said))
        if any(ran is None for ran in told.values()):
            return "not told"
        few = f"; no more were tried on {cores} core{'s' * (cores > 1)}" if max(self.threads) > cores else ""
        return f"{' and '.join(map(str, told)) or 'no CPU'}, as asked{few}"

    def at_once(self) -> str:
        asked = min(2, len(usable_cores()))
        session = self.load(streams=asked)
        try:
            lanes = session.lanes()
        except Unsupported as error:
            return f"refused with these options: {error.message}"
        streams = Streams(lanes)
        found = streams.run(5)
        worst = max(relative_l2(lane.outputs(), self.ready().reference()[1]) for lane in lanes)
        told = session.effective()
        streams.close()
        session.close()
        tolerance = allowed(self.ready(), told.precision)
        _must(len(lanes) == asked, f"asked for {counted(asked, 'stream')}, lanes() returned {len(lanes)}")
        _must(told.streams == asked, f"asked for {counted(asked, 'stream')}, effective() tells {told.streams}")
        _must(worst <= tolerance, f"relative L2 error {worst:.2g} in a stream: do they share a buffer?")
        _must(all(ns > 0 for ns in found.latency_ns), f"latencies in ns are {found.latency_ns}")
        return f"{asked} at once, an inference every {found.every_ns / 1e6:.3g} ms"

    def anew(self) -> str:
        session = self.load()
        error = self.worst(session)
        session.close()
        session = self.load()
        again = self.worst(session)
        session.close()
        _must(abs(error - again) < 1e-5, f"relative L2 error {error:.2g} at first, {again:.2g} when loaded anew")
        return "the same"

    def options(self) -> str:
        tried, refused = 0, []
        for row in self.backend.parameters.values():
            for choice in row.choices:
                tried += 1
                try:
                    self.load(options=self.ref.options | {row.name: choice}).close()
                except BenchError:  # a line for the person; anything else is the backend's mistake
                    refused.append(f"{row.name}={choice}")
        return f"{tried} choices" + (f", refused here: {', '.join(refused)}" if refused else "")

    def corrupt(self) -> str:
        refused, said = corrupt.attempt(self.ready(), self.ref)
        _must(refused, said)
        return said


def _must(true: object, otherwise: str) -> None:
    if not true:
        raise Nonconforming(otherwise)


def main(arguments: Sequence[str]) -> int:
    """Check the backends that are named; return how many do not conform."""
    failed = 0
    for spec in arguments:
        try:
            print(check(spec))
        except Nonconforming as error:
            failed += 1
            print(error)
        except BenchError as error:
            failed += 1
            print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
