"""What other tools' bug reports are about: lawful networks that a runtime changes, and what must be said of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest

from bench import backends, export
from bench.artifact.artifact import Artifact
from bench.artifact.reference import relative_l2
from bench.base.errors import Unsupported
from bench.measure.measuring import Measurer
from bench.measure.readback import fault_of, remarks_of
from bench.plan import zoo
from bench.plan.case import Case, Network
from tests.backends import networks, quantised
from tests.conftest import examined

RUNTIMES = ("onnxruntime", "openvino")
Seen = tuple[Case, Artifact, dict[str, Any], dict[str, Any]]


@pytest.fixture
def measure(tmp_path: Path) -> Callable[..., Seen]:
    """Load a network as a worker does, run it, read back what ran."""

    def run(made: Any, backend: str, resolution: int | None = None) -> Seen:
        spec = made
        if isinstance(made, onnx.ModelProto):
            spec = str(tmp_path / "net.onnx")
            onnx.save(made, spec)
            examined(Path(spec))  # each network meets several runtimes
        case = Case(Network(zoo.resolve(spec), resolution=resolution), backends.resolve(backend))
        if not backends.installed(backends.get(case.backend.name)):
            pytest.skip(f"{backend} is not installed")
        artifact = export.ensure(case.network)
        worker = Measurer()
        request = {"artifact": artifact.folder, "backend": case.backend.name, "options": case.backend.options}
        loaded = worker.load(**request, settings={"threads": 1}, cores=[], given=[])
        inspected = worker.inspect()
        worker.close()
        return case, artifact, loaded, inspected

    return run


def verdict(seen: Seen) -> tuple[str, str] | None:
    case, artifact, loaded, inspected = seen
    return fault_of(case, artifact, loaded["parity_rel_l2"], inspected)


INT8_CONVS = 32 * 256 * 16 * 9 + 32 * 256 * 9 + 64 * 256 * 32 + 64 * 10
# Per network: MACs of the source, and for each runtime those that ran and in which precision.
LAWFUL: list[tuple[Callable[[], Any], int, dict[str, tuple[int, str]]]] = [
    (networks.mnist_mlp, 109184, dict.fromkeys(RUNTIMES, (109184, "fp32"))),
    (networks.gemm_mlp, 218368, dict.fromkeys(RUNTIMES, (218368, "fp32"))),
    (networks.strided_1x1, 2490368, {"onnxruntime": (2490368, "fp32"), "openvino": (720896, "fp32")}),
    (quantised.dynamic_int8_mlp, 24576, {"onnxruntime": (24576, "int8")}),
    (quantised.static_qgemm, 24576, {"onnxruntime": (24576, "int8")}),
    (quantised.quantised_convs, INT8_CONVS, dict.fromkeys(RUNTIMES, (INT8_CONVS, "int8"))),
    (quantised.quantised_convs_signed, INT8_CONVS, dict.fromkeys(RUNTIMES, (INT8_CONVS, "int8"))),
    (quantised.weight_only_int8, 3145728, dict.fromkeys(RUNTIMES, (3145728, "int8"))),
    (quantised.weight_only_conv, 4718592, dict.fromkeys(RUNTIMES, (4718592, "fp32"))),
    (networks.transformer, networks.TRANSFORMER_MACS, dict.fromkeys(RUNTIMES, (networks.TRANSFORMER_MACS, "fp32"))),
    (networks.pass_through, 256, dict.fromkeys(RUNTIMES, (256, "fp32"))),
    (partial(networks.pass_through, "Identity"), 256, dict.fromkeys(RUNTIMES, (256, "fp32"))),
    (partial(networks.pass_through, "Dropout"), 256, dict.fromkeys(RUNTIMES, (256, "fp32"))),
    (networks.pass_through_and_used, 256, dict.fromkeys(RUNTIMES, (256, "fp32"))),
    (networks.integer_output, 512, dict.fromkeys(RUNTIMES, (512, "fp32"))),
]


@pytest.mark.parametrize(
    ("make", "macs", "backend", "ran", "precision"),
    [(make, macs, backend, *ran) for make, macs, told in LAWFUL for backend, ran in told.items()],
)
def test_a_lawful_network_is_measured(
    measure: Callable[..., Seen], make: Callable[[], Any], macs: int, backend: str, ran: int, precision: str
) -> None:
    case, artifact, loaded, inspected = seen = measure(make(), backend)
    assert verdict(seen) is None, (loaded["parity_rel_l2"], inspected)
    assert artifact.macs == macs
    assert inspected["effective"]["precision"] == precision
    # Empty where the runtime cannot tell, never another number.
    assert inspected["macs_executed"] == ran or (inspected["macs_executed"] is None and inspected["opaque"])
    reduced = inspected["macs_executed"] is not None and ran < macs
    assert any("left out" in remark for remark in remarks_of(case, artifact, inspected)) is reduced


@pytest.mark.parametrize("backend", RUNTIMES)
def test_what_no_output_needs_is_no_fault(measure: Callable[..., Seen], backend: str) -> None:
    """ONNX Runtime computes it, OpenVINO does not, and it may be counted or not."""
    seen = measure(networks.dead_conv(), backend)
    assert verdict(seen) is None
    assert seen[1].macs in (55296, 645120)
    assert seen[3]["macs_needed"] == 55296
    assert seen[3]["macs_executed"] in (55296, 645120)


def test_what_stays_out_of_blocks_is_no_match_for_what_became_one(measure: Callable[..., Seen]) -> None:
    """Else the larger of the two is counted twice, and more ran than the source has."""
    seen = measure(networks.blocks_and_none(), "onnxruntime")
    assert verdict(seen) is None
    assert seen[3]["macs_executed"] == seen[1].macs == 1024 * 6 * (3 + 9) + 256 * 8 * (6 + 9 + 16)


@pytest.mark.parametrize("make", [networks.mnist_mlp, networks.gemm_mlp, networks.strided_1x1, networks.transformer])
def test_openvinos_subgraphs_tell_what_they_hold(measure: Callable[..., Seen], make: Callable[[], Any]) -> None:
    _, _, _, inspected = measure(make(), "openvino")
    assert inspected["opaque"] == []
    assert inspected["macs_executed"]


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_file_in_fp16_that_ran_in_another_precision_is_downgraded(measure: Callable[..., Seen], backend: str) -> None:
    """OpenVINO runs it in bf16 where the CPU has that and no fp16."""
    seen = measure(networks.constant_weights_fp16(), backend)
    ran = seen[3]["effective"]["precision"]
    assert verdict(seen) == (None if ran == "fp16" else ("downgraded", f"ran in {ran}, not in fp16"))
    assert ran == "fp32" or backend == "openvino"


@pytest.mark.parametrize("backend", RUNTIMES)
def test_random_operators_are_named(measure: Callable[..., Seen], backend: str) -> None:
    status, said = verdict(measure(networks.random_normal(), backend)) or ("", "")
    assert status == "mismatch"
    assert "RandomNormalLike" in said


def test_what_a_runtime_does_not_take_is_unsupported(measure: Callable[..., Seen]) -> None:
    with pytest.raises(Unsupported, match="QGemm"):
        measure(quantised.static_qgemm(), "openvino")


def test_a_wrong_result_is_told_before_all_else(measure: Callable[..., Seen]) -> None:
    """However little ran, and in whatever precision."""
    case, artifact, _, inspected = measure(networks.strided_1x1(), "openvino")
    status, said = fault_of(case, artifact, 3.5, inspected | {"macs_executed": 1}) or ("", "")
    assert (status, said[:26]) == ("mismatch", "relative L2 error 3.5 agai")


def test_a_chain_that_a_runtime_gets_wrong_is_a_mismatch_and_nothing_else(measure: Callable[..., Seen]) -> None:
    assert verdict(measure(quantised.quantised_chain(), "onnxruntime")) is None
    seen = measure(quantised.quantised_chain(), "openvino")
    status, said = verdict(seen) or ("", "")
    assert status == ("mismatch" if seen[2]["parity_rel_l2"] > 0.5 else ""), said


ENCODER = """
import torch

class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 64, 8, 8)
        layer = torch.nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, norm_first=NORM)
        self.encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = torch.nn.Linear(64, 10)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.encoder(tokens).mean(1))

def encoder():
    return Encoder()
"""
ENCODER_MACS = 16 * 192 * 64 + 2 * (16 * 64 * 64 * 4 + 2 * 16 * 16 * 64 + 2 * 16 * 64 * 128) + 640


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both encoders: each is exported once, for all runtimes."""
    folder = tmp_path_factory.mktemp("encoders")
    for norm_first in (True, False):
        (folder / f"encoder{norm_first:d}.py").write_text(ENCODER.replace("NORM", str(norm_first)))
    return folder


@pytest.mark.parametrize("backend", [*RUNTIMES, "torch"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_attention_is_counted_or_opaque(
    measure: Callable[..., Seen], encoders: Path, backend: str, norm_first: bool
) -> None:
    """PyTorch's own layers run as one fused operator where the normalisation comes first, or last."""
    pytest.importorskip("torch")
    file = encoders / f"encoder{norm_first:d}.py"
    seen = measure(f"{file}:encoder", backend, resolution=32)
    assert verdict(seen) is None, seen[3]
    assert seen[1].macs == ENCODER_MACS
    assert seen[3]["macs_executed"] == ENCODER_MACS or (seen[3]["macs_executed"] is None and seen[3]["opaque"])


@pytest.mark.slow
@pytest.mark.parametrize("backend", [*RUNTIMES, "torch"])
def test_a_vision_transformer_is_measured(measure: Callable[..., Seen], backend: str) -> None:
    pytest.importorskip("timm")
    seen = measure("timm:vit_tiny_patch16_224", backend)
    assert verdict(seen) is None, seen[3]
    assert seen[3]["macs_executed"] == seen[1].macs == 1253683200


# Public reports on other tools, each a kind of its own (docs/method.md, "Reports on other tools, tried here").


@pytest.mark.parametrize("backend", RUNTIMES)
def test_an_input_that_nothing_takes(measure: Callable[..., Seen], backend: str) -> None:
    """openvinotoolkit/openvino#27662: a converted model has lost the input, and the caller feeds it by name."""
    seen = measure(networks.unused_input(), backend)
    assert verdict(seen) is None
    assert (seen[1].macs, seen[3]["macs_executed"]) == (256, 256)


@pytest.mark.parametrize("backend", RUNTIMES)
@pytest.mark.parametrize("least", [0.0, 1e9], ids=["some", "none"])
def test_detections_however_many_there_are(measure: Callable[..., Seen], backend: str, least: float) -> None:
    """onnxsim/onnxsim#40: the output has as many rows as the data gives, perhaps none."""
    seen = measure(networks.detections(least), backend)
    assert verdict(seen) is None, seen[2]["parity_rel_l2"]
    [output] = seen[1].outputs
    assert (output.shape[0] == 0) is (least > 0)
    assert (seen[1].macs, seen[1].uncounted) == (24 * 16 * 5, ())


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_small_output_counts_beside_a_large_one(measure: Callable[..., Seen], backend: str) -> None:
    """microsoft/onnxscript#1025: of several outputs only one was held against the reference."""
    seen = measure(networks.large_and_small(), backend)
    assert verdict(seen) is None
    reference = seen[1].reference()[1]
    wrong = [reference[0] + 1, reference[1]]
    assert relative_l2(wrong, reference) > 0.5
    assert relative_l2([reference[0], reference[1] * 1.5], reference) == pytest.approx(0.5)


@pytest.mark.parametrize(("make", "kind"), [(networks.branching, "If"), (networks.looping, "Loop")])
def test_what_is_inside_an_operator_is_timed_once(tmp_path: Path, make: Callable[[], Any], kind: str) -> None:
    """robertknight/rten#778: the nodes of a loop were added to the time of the loop, which has them already."""
    onnx.save(make(), tmp_path / "net.onnx")
    case = Case(Network(zoo.resolve(str(tmp_path / "net.onnx"))), backends.resolve("onnxruntime"))
    artifact, runtime = export.ensure(case.network), backends.get("onnxruntime")
    assert kind in artifact.uncounted
    session = runtime.load(artifact, case.settings, case.backend.options)
    session.infer()
    told = session.operators()
    profiler = session.profiler()
    profiler.block(4)
    timed = profiler.read().operators
    session.close()
    kinds = [operator.kind for operator in timed]
    assert kinds.count(kind) == 1
    assert kinds.count("MatMul") == 2
    assert "Relu" not in kinds
    assert all(len(operator.raw_ns) == 4 for operator in timed)
    assert sorted(kinds) == sorted(operator.kind for operator in told)
    assert [operator.macs for operator in told if operator.kind == "MatMul"] == [4 * 64 * 64, 4 * 64 * 10]
