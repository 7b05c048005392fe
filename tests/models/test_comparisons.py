"""The networks that the lightweight-CNN papers are compared with, against the libraries that also build them."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
from bench.models import build  # noqa: E402
from torch import nn  # noqa: E402

from bench.plan.zoo import resolve  # noqa: E402
from tests.models.reference import assert_same_network, timm_model, torchvision_model  # noqa: E402

LIBRARY_TWINS = [
    ("alexnet:variant=2014", "torchvision:alexnet", 224, {}),
    ("vgg:depth=11", "torchvision:vgg11", 64, {"init_weights": False}),
    ("vgg:depth=16,batch_norm=true", "torchvision:vgg16_bn", 64, {"init_weights": False}),
    ("resnet:depth=18", "torchvision:resnet18", 64, {}),
    ("resnet:depth=34", "torchvision:resnet34", 64, {}),
    ("resnet:depth=50", "torchvision:resnet50", 64, {}),
    ("resnet:depth=101", "torchvision:resnet101", 64, {}),
    ("resnet:depth=152", "torchvision:resnet152", 64, {}),
    ("resnext:depth=50", "torchvision:resnext50_32x4d", 64, {}),
    ("resnext:depth=101,bottleneck=8", "torchvision:resnext101_32x8d", 64, {}),
    ("densenet:depth=121", "torchvision:densenet121", 64, {}),
    ("densenet:depth=161", "torchvision:densenet161", 64, {}),
    ("inceptionv3", "torchvision:inception_v3", 107, {"aux_logits": False, "init_weights": False}),
    ("xception", "timm:legacy_xception", 107, {}),
    ("mnasnet:width=0.5", "torchvision:mnasnet0_5", 64, {}),
    ("mnasnet:width=1.3", "torchvision:mnasnet1_3", 64, {}),
    ("mnasnet:variant=a1", "timm:semnasnet_100", 64, {}),
    ("mnasnet:variant=a1,width=0.75", "timm:semnasnet_075", 64, {}),
    ("efficientnet:variant=b0", "torchvision:efficientnet_b0", 64, {}),
    ("efficientnet:variant=b3", "torchvision:efficientnet_b3", 75, {}),
]


@pytest.mark.usefixtures("unfilled")
@pytest.mark.parametrize(("spec", "twin", "resolution", "options"), LIBRARY_TWINS)
def test_it_computes_what_the_library_computes(spec: str, twin: str, resolution: int, options: dict[str, Any]) -> None:
    library, _, name = twin.partition(":")
    theirs = {"torchvision": torchvision_model, "timm": timm_model}[library](name, **options)
    assert_same_network(build(spec), theirs, resolution)


SPECS = [
    "alexnet",
    "alexnet:variant=2014",
    "vgg:depth=11",
    "resnet:depth=18",
    "resnet:depth=50,stride=1x1",
    "resnext",
    "densenet",
    "inceptionv3",
    "xception",
    "mnasnet",
    "mnasnet:variant=a1",
    "efficientnet",
    "igcv3",
    "condensenet",
    "nasnet",
    "pnasnet",
]


@pytest.mark.parametrize("resolution", [96, 160, 257])
@pytest.mark.parametrize("spec", SPECS)
def test_it_runs_at_other_resolutions(spec: str, resolution: int) -> None:
    with torch.device("meta"), torch.no_grad():
        assert build(spec)(torch.empty(2, 3, resolution, resolution)).shape == (2, 1000)


@pytest.mark.parametrize(
    ("spec", "resolution"),
    [
        ("efficientnet", 224),
        ("efficientnet-b3", 300),
        ("efficientnet:variant=b3", 300),
        ("efficientnet-b0:variant=b7", 600),
        ("efficientnet-b3:resolution=224", 224),
        ("inceptionv3", 299),
        ("xception", 299),
        ("nasnet", 224),
        ("nasnet-large", 331),
        ("resnet50", 224),
    ],
)
def test_the_default_resolution_is_that_of_the_variant(spec: str, resolution: int) -> None:
    assert resolve(spec).resolution == resolution


def test_the_alexnet_of_2012_is_split_over_two_gpus() -> None:
    with torch.device("meta"):
        convs = [m for m in build("alexnet").modules() if isinstance(m, nn.Conv2d)]
    assert [conv.groups for conv in convs] == [1, 2, 1, 2, 2]


def test_the_published_resnet_strides_in_the_first_convolution_of_a_bottleneck() -> None:
    def strides(spec: str) -> set[tuple[int, int]]:
        with torch.device("meta"):
            convs = [m for m in build(spec).modules() if isinstance(m, nn.Conv2d)]
        return {(conv.kernel_size[0], conv.stride[0]) for conv in convs if conv.stride[0] > 1}

    assert strides("resnet:stride=1x1") == {(7, 2), (1, 2)}
    assert strides("resnet:stride=3x3") == {(7, 2), (3, 2), (1, 2)}


def in_order_of_use(state: dict[str, Any]) -> list[str]:
    """Sort a timm network of searched cells: its cells declare the branch of the cell before the last one first."""
    cells: dict[str, int] = {}
    keys = {}
    for i, name in enumerate(state):
        cell, part, *_ = name.split(".")
        cells.setdefault(cell, len(cells))
        rank = 0 if part == "conv_1x1" else 1 if part.startswith(("conv_prev", "path", "final")) else 2
        keys[name] = (cells[cell], rank if "cell" in cell else 0, i)
    return sorted(state, key=keys.__getitem__)


@pytest.mark.usefixtures("unfilled")
@pytest.mark.parametrize(("spec", "twin"), [("nasnet-large", "NASNetALarge"), ("pnasnet-large", "PNASNet5Large")])
def test_weights_carry_over_to_the_searched_networks(spec: str, twin: str) -> None:
    """The large networks are made of the cells of the mobile ones, which the libraries do not build.

    Padded as TensorFlow pads: 67 pixels give 33, 17, 9, 5 and 3, odd sizes all, which even padding pads alike.
    """
    theirs = timm_model(twin, pad_type="same")
    pools = [name for name, module in theirs.named_modules() if type(module).__name__ == "AvgPool2dSame"]
    # timm's mean pools of stride 2 count the zeros around the image; the authors' code and ours leave them out.
    assert bool(pools) == (spec == "nasnet-large")
    if pools:
        with pytest.raises(AssertionError):
            assert_same_network(build(spec), theirs, 67, order=in_order_of_use)
        for name in pools:
            theirs.set_submodule(name, nn.AvgPool2d(3, 2, 1, count_include_pad=False))
    assert_same_network(build(spec), theirs, 67, order=in_order_of_use)


@pytest.mark.parametrize(
    ("spec", "eps"),
    [
        *(
            (spec, 1e-3)
            for spec in ("inceptionv3", "xception", "nasnet", "pnasnet", "efficientnet", "mnasnet", "mobilenetv1",
                         "mobilenetv2", "mobilenetv3", "mobilenetv3:size=small,minimalistic=true")
        ),
        *((spec, 1e-5) for spec in ("resnet", "densenet", "condensenet", "igcv3", "ghostnetv1", "ghostnetv2", "pplcnet",
                                    "shufflenetv1", "shufflenetv2", "shufflenetv2:depth=50")),
        ("se-shufflenetv2-164", 1e-9),
    ],
)  # fmt: skip
def test_batch_normalisation_has_the_epsilon_of_the_authors_code(spec: str, eps: float) -> None:
    with torch.device("meta"):
        assert {m.eps for m in build(spec).modules() if isinstance(m, nn.BatchNorm2d)} == {eps}


def test_condensenet_feeds_every_channel_to_one_group() -> None:
    layer = build("condensenet:groups=4").body[0]
    assert layer.index.tolist() == [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]
    assert [layer.condensed[2].groups, layer.grown[2].groups] == [4, 4]
