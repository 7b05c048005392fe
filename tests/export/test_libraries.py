"""Networks of other libraries: exported, run, and counted as PyTorch counts them."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from bench import backends, export
from bench.artifact.reference import relative_l2
from bench.base.errors import ArtifactError, BenchError, UnknownName
from bench.plan import zoo
from bench.plan.case import Case, Network

torch = pytest.importorskip("torch")

QUICK = ("timm:repvgg_a0", "torchvision:shufflenet_v2_x0_5")
# Attention of four kinds, re-parameterised branches, large kernels, element-wise products.
TEN = (
    "timm:vit_tiny_patch16_224",
    "timm:levit_128s",
    "timm:mobilevitv2_050",
    "timm:efficientformerv2_s0",
    "timm:fastvit_t8:inference_mode=true",
    "timm:mobileone_s0",
    "timm:convnext_atto",
    "timm:edgenext_xx_small",
    "timm:inception_next_atto",
    "timm:starnet_s1",
)
# PyTorch's counter leaves out fused attention on the CPU; the positions of EdgeNeXt are constant after the export.
COUNTED_OTHERWISE = {"timm:vit_tiny_patch16_224": 12 * 2 * 197**2 * 192, "timm:edgenext_xx_small": None}


@pytest.mark.parametrize("spec", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in TEN)])
def test_a_network_of_a_library(spec: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    from bench.artifact.build import build_module

    library = spec.partition(":")[0]
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    case = Case(Network(zoo.resolve(spec)), backends.resolve("onnxruntime"))
    artifact = export.ensure(case.network)
    session = backends.get("onnxruntime").load(artifact, case.settings, case.backend.options)
    session.infer()
    inputs, reference = artifact.reference()
    assert relative_l2(session.outputs(), reference) < 1e-4
    assert reference[0].std() > 1e-2  # else anything would be equal
    source = json.loads(artifact.source)
    module = build_module(artifact.kind, source["source"], source["params"]).module
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(torch.from_numpy(inputs[0]))
    uncounted = COUNTED_OTHERWISE.get(spec, 0)
    if uncounted is not None:
        assert artifact.macs == counter.get_total_flops() // 2 + uncounted
    assert not artifact.uncounted


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("timm:vit_tinny_patch16_224", UnknownName, "did you mean vit_tiny_patch16_224"),
        ("torchvision:resnet19", UnknownName, "did you mean resnet1"),
        ("torchvision:resnet18:depth=3", ArtifactError, "depth"),
    ],
)
def test_a_wrong_name_is_one_line(spec: str, error: type[BenchError], says: str) -> None:
    library = spec.partition(":")[0]
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    with pytest.raises(error) as caught:
        export.ensure(Network(zoo.resolve(spec)))
    assert says in caught.value.message + caught.value.hint
