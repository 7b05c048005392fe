"""What benchmarks of this folder share: launches of `bench`'s worker, and a file that a stopped run goes on from."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench import backends, export
from bench.artifact.artifact import Artifact
from bench.backends import prepare
from bench.backends.answers import Block
from bench.base.errors import BenchError
from bench.machine.environment import local
from bench.measure.launch import Launch
from bench.plan import zoo
from bench.plan.case import Case, Network
from bench.plan.protocol import Warming

RUNTIMES = ("onnxruntime", "openvino", "torch", "litert", "ncnn", "mnn", "executorch")
TIMEOUT_S = 120.0
# Of benchmark_app: the same runtime, precision, stream and thread as ours, and no more than one inference at a time.
APP_FLAGS = (
    "-d",
    "CPU",
    "-api",
    "sync",
    "-hint",
    "none",
    "-nstreams",
    "1",
    "-nthreads",
    "1",
    "-infer_precision",
    "f32",
)
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """A network on a runtime, exported and converted: `source` is the artifact, `artifact` what the runtime loads."""

    case: Case
    source: Artifact
    artifact: Artifact

    @property
    def version(self) -> str:
        """The version of the runtime that is installed."""
        return next(iter(backends.get(self.case.backend.name).versions().values()))


def ready(model: str, runtime: str) -> Ready | None:
    """Export and convert; None, and a line on stderr, where the runtime is not here or cannot convert the network."""
    try:
        case = Case(Network(zoo.resolve(model)), backends.resolve(runtime))
        source = export.ensure(case.network)
        return Ready(case, source, prepare.ensure(source, case.backend))
    except BenchError as error:
        print(f"{model} on {runtime}: left out: {error.message}", file=sys.stderr)
        return None


class Ours:
    """One launch of `bench`, on a core. Use as a context manager."""

    def __init__(self, one: Ready, core: int, warming: Warming) -> None:
        self._launch = Launch(one.case, TIMEOUT_S)
        self.parity: float = self._launch.load(one.artifact.folder, [core])["parity_rel_l2"]
        self._n = int(self._launch.warm(warming)["n"])

    def block(self) -> list[int]:
        """Return the latencies of a block in ns."""
        return self._launch.ask("block", Block, n=self._n)["latency_ns"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._launch.close()


def timed(one: Ready, core: int, seconds: float, warming: Warming) -> Line:
    """Run one launch on a core, for so long in blocks; return the median in ns, how many inferences, and parity."""
    medians, spent, inferences = list[float](), 0, 0
    with Ours(one, core, warming) as ours:
        while spent < seconds * 1e9:
            latencies = ours.block()
            medians.append(statistics.median(latencies))
            spent, inferences = spent + sum(latencies), inferences + len(latencies)
    return {"ns": statistics.median(medians), "inferences": inferences, "parity": ours.parity}


class Log:
    """A file of JSON lines, one per measurement, known by `keys`: what is there is not measured again."""

    def __init__(self, path: Path, keys: tuple[str, ...]) -> None:
        self.path, self._keys = path, keys
        text = path.read_text("utf-8") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]  # what was cut off in the middle is measured anew
        if whole != text:
            path.write_text(whole, "utf-8")
        self.lines: list[Line] = [json.loads(line) for line in whole.splitlines()]

    def once(self, key: tuple[object, ...], measure: Callable[[], Line]) -> None:
        """Measure what is not there yet, and write it down at once."""
        if any(tuple(line[name] for name in self._keys) == key for line in self.lines):
            return
        line = dict(zip(self._keys, key, strict=True)) | {"cpu": local().cpu} | measure()
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.lines.append(line)
