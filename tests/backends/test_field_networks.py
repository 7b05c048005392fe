"""What other tools' bug reports are about: lawful networks that a runtime changes, and what must be said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from bench import backends, export
from bench.artifact.artifact import Artifact
from bench.measure.readback import fault_of
from bench.measure.worker import Worker
from bench.plan import zoo
from bench.plan.case import Case, Network, Settings
from tests.backends import networks

MEASURED = None
RUNTIMES = ("onnxruntime", "openvino")
ALL = dict.fromkeys(RUNTIMES, MEASURED)
Seen = tuple[Case, Artifact, dict[str, Any], dict[str, Any]]


@pytest.fixture
def measure(tmp_path: Path) -> Callable[..., Seen]:
    """Load a network as a worker does, run it, read back what ran."""

    def run(made: Any, backend: str, threads: int = 1) -> Seen:
        spec = made
        if isinstance(made, onnx.ModelProto):
            spec = str(tmp_path / "net.onnx")
            onnx.save(made, spec)
        case = Case(Network(zoo.resolve(spec)), backends.resolve(backend), Settings(threads=threads))
        artifact = export.ensure(case.network)
        worker = Worker()
        request = {"artifact": artifact.folder, "backend": case.backend.name, "options": case.backend.options}
        loaded = worker.load({**request, "settings": {"threads": threads}, "cores": []})
        inspected = worker.inspect({})
        worker.close({})
        return case, artifact, loaded, inspected

    return run


def verdict(seen: Seen) -> tuple[str, str] | None:
    case, artifact, loaded, inspected = seen
    return fault_of(case, artifact, loaded["parity_rel_l2"], inspected)


# Per network: MACs of the source, and per runtime those that run (None: it cannot tell) and the precision that ran.
LAWFUL = [
    (networks.mnist_mlp, 109184, {"onnxruntime": (109184, "fp32"), "openvino": (109184, "fp32")}),
    (networks.gemm_mlp, 218368, {"onnxruntime": (218368, "fp32"), "openvino": (218368, "fp32")}),
    (networks.strided_1x1, 2490368, {"onnxruntime": (2490368, "fp32"), "openvino": (720896, "fp32")}),
    (networks.dynamic_int8_mlp, 24576, {"onnxruntime": (24576, "int8")}),
    (networks.static_qgemm, 24576, {"onnxruntime": (24576, "int8")}),
    (networks.quantised_convs, 0, {"onnxruntime": (0, "int8"), "openvino": (0, "int8")}),
    (networks.transformer, networks.TRANSFORMER_MACS, dict.fromkeys(RUNTIMES, (networks.TRANSFORMER_MACS, "fp32"))),
    (networks.pass_through, 256, dict.fromkeys(RUNTIMES, (256, "fp32"))),
    (networks.pass_through_identity, 256, dict.fromkeys(RUNTIMES, (256, "fp32"))),
    (networks.integer_output, 512, dict.fromkeys(RUNTIMES, (512, "fp32"))),
]


@pytest.mark.parametrize(
    ("make", "macs", "backend", "ran"),
    [(make, macs, backend, ran) for make, macs, told in LAWFUL for backend, ran in told.items()],
)
def test_a_lawful_network_is_measured(
    measure: Callable[..., Seen], make: Callable[[], Any], macs: int, backend: str, ran: tuple[int, str]
) -> None:
    seen = measure(make(), backend)
    _, artifact, loaded, inspected = seen
    assert verdict(seen) is None, (loaded["parity_rel_l2"], inspected)
    print(make.__name__, backend, artifact.macs, inspected)
