"""The hand-made families of light networks: shapes, what their hyper-parameters change, and parity with other code."""

from __future__ import annotations

import pytest
import torch
from bench.models import build, shufflenetv1
from bench.models.shufflenetv1 import channels
from torch import nn

from bench.base.errors import ParameterError
from bench.plan.zoo import canonical_name, cards, resolve
from tests.models.reference import assert_same_network, timm_model, torchvision_model

FAMILIES = (
    "ghostnetv1",
    "ghostnetv2",
    "mobilenetv1",
    "mobilenetv2",
    "mobilenetv3",
    "pplcnet",
    "shufflenetv1",
    "shufflenetv2",
    "squeezenet",
)
VARIANTS = {
    "pplcnet": {"se": ["1100000000000"], "large_kernel": ["1111111000000"], "width": [0.25, 2.5]},
    "shufflenetv1": {"width": [0.25, 0.5, 1.0, 1.5, 2.0]},
}
MORE = (
    *(f"shufflenetv1:width={w},groups={g}" for w in ("0.25", "0.5", "1.5", "2") for g in (1, 2, 4, 8)),
    "shufflenetv1:width=0.25,groups=8,se=true",
    "shufflenetv2:residual=true,se=true",
    "se-shufflenetv2-164",
    "shufflenetv2:depth=50,residual=true",
    "mobilenetv3:size=small,minimalistic=true,width=0.35",
    "ghostnetv1:ratio=3,width=0.5",
)


def specs() -> list[str]:
    """List one network per value of each hyper-parameter, both ends of a range included."""
    found = list(MORE)
    for family in FAMILIES:
        found.append(family)
        for parameter in cards()[family].parameters.values():
            values = VARIANTS.get(family, {}).get(parameter.name) or parameter.choices or parameter.range
            if isinstance(parameter.default, bool):
                values = [not parameter.default]
            found += [f"{family}:{parameter.name}={value}" for value in values or ()]
    return sorted(set(found))


def run(spec: str, resolution: int, batch: int = 1) -> torch.Size:
    with torch.device("meta"), torch.no_grad():
        return build(spec)(torch.zeros(batch, 3, resolution, resolution)).shape


def parameters(spec: str) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(spec).parameters())


def kinds(spec: str, kind: type[nn.Module]) -> list[nn.Module]:
    with torch.device("meta"):
        return [m for m in build(spec).modules() if isinstance(m, kind)]


@pytest.mark.parametrize("spec", specs())
def test_every_variant_maps_images_to_1000_logits(spec):
    assert run(spec, resolve(spec).resolution) == (1, 1000)


@pytest.mark.parametrize("family", FAMILIES)
def test_other_resolutions_and_batches_run(family):
    assert run(family, 160, batch=2) == (2, 1000)


@pytest.mark.parametrize("spec", [s for s in specs() if ":" in s])
def test_a_variant_is_named_by_what_differs_from_the_defaults(spec):
    ref = resolve(spec)
    assert resolve(ref.canonical) == ref
    assert canonical_name(cards()[ref.source], ref.params) == ref.canonical


@pytest.mark.parametrize(
    ("spec", "offered"),
    [
        ("squeezenet:version=1.2", "1.0, 1.1"),
        ("shufflenetv1:groups=5", "1, 2, 3, 4, 8"),
        ("shufflenetv1:width=0.75", "0.25, 0.5"),
        ("shufflenetv2:depth=101", "0, 50, 164"),
        ("mobilenetv3:size=medium", "large, small"),
        ("ghostnetv1:ratio=1", "2, 3, 4, 5"),
        ("pplcnet:width=9", "between 0.1 and 4"),
        ("pplcnet:se=11", "matches"),
        ("pplcnet:large_kernel=2000000000000", "matches"),
        ("pplcnet:activation=swish", "hswish, relu"),
    ],
)
def test_values_outside_the_papers_are_refused_with_what_there_is(spec, offered):
    with pytest.raises(ParameterError) as caught:
        resolve(spec)
    assert offered in caught.value.hint


@pytest.mark.parametrize("spec", ["shufflenetv2:depth=50,width=2", "mobilenetv3:minimalistic=true,hswish=16"])
def test_hyper_parameters_that_exclude_each_other_are_refused(spec):
    with pytest.raises(ParameterError):
        build(spec)


def test_shufflenetv1_channels_are_those_of_the_paper_and_of_the_authors_code():
    assert channels(1.0, 4) == (24, 272, 544, 1088)  # Table 1
    assert channels(0.5, 4) == (12, 144, 288, 576)  # Table 4
    assert channels(0.5, 8) == (16, 192, 384, 768)  # the authors' code, as all below
    assert channels(0.5, 3) == (12, 120, 240, 480)
    assert channels(1.5, 8) == (24, 576, 1152, 2304)
    assert channels(2.0, 3) == (48, 480, 960, 1920)


@pytest.mark.parametrize("spec", ["shufflenetv1", "shufflenetv1:groups=8,width=0.5"])
def test_the_shuffle_mixes_groups_and_costs_no_weights(spec):
    comma = "," if ":" in spec else ":"
    torch.manual_seed(0)
    shuffled, plain = build(spec), build(f"{spec}{comma}shuffle=false")
    plain.load_state_dict(shuffled.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(shuffled(x), plain(x))


def test_a_simple_bypass_is_free_and_a_complex_one_is_not():
    assert parameters("squeezenet:bypass=simple") == parameters("squeezenet") == 1_248_424  # Table 1
    # A 1x1 convolution with bias around fire2, fire4, fire6 and fire8.
    extra = 128 * (96 + 1) + 256 * (128 + 1) + 384 * (256 + 1) + 512 * (384 + 1)
    assert parameters("squeezenet:bypass=complex") == parameters("squeezenet") + extra


@pytest.mark.parametrize("bypass", ["simple", "complex"])
def test_a_bypass_adds_the_input_of_a_fire_module(bypass):
    fire = build(f"squeezenet:bypass={bypass}").features[4]  # fire3, which keeps its 128 channels
    x = torch.randn(1, 128, 8, 8)
    with torch.no_grad():
        for conv in (fire.expand1x1, fire.expand3x3):
            conv.weight.zero_()
            conv.bias.zero_()
        assert torch.equal(fire(x), x)


@pytest.mark.parametrize("spec", ["shufflenetv2", "shufflenetv2:depth=164"])
def test_residual_paths_are_where_a_unit_keeps_its_shape(spec):
    comma = "," if ":" in spec else ":"
    units = [m for m in kinds(f"{spec}{comma}residual=true", nn.Module) if hasattr(m, "residual")]
    assert len(units) == (53 if "164" in spec else 16)
    assert sum(not unit.residual for unit in units) == (4 if "164" in spec else 3)
    assert parameters(f"{spec}{comma}residual=true") == parameters(spec)


def test_hswish_stands_where_table_5_of_mobilenetv3_puts_it():
    # Table 1: stem, ten rows from the first with 80 channels on with two each, the head, and the layer after the pool.
    assert len(kinds("mobilenetv3", nn.Hardswish)) == 1 + 9 * 2 + 2
    assert not kinds("mobilenetv3:hswish=none", nn.Hardswish)
    assert not kinds("mobilenetv3:minimalistic=true", nn.Hardswish)
    # Every row but the first, which has no expansion, has two.
    assert len(kinds("mobilenetv3:hswish=16", nn.Hardswish)) == 1 + (1 + 14 * 2) + 2
    assert len(kinds("mobilenetv3:hswish=80", nn.Hardswish)) == 9 * 2 + 2
    assert len(kinds("mobilenetv3:hswish=112", nn.Hardswish)) == 5 * 2 + 2


@pytest.mark.parametrize("digits", ["1100000000000", "0000001100000", "1111111111111"])
def test_pplcnet_puts_each_technique_into_the_blocks_that_were_asked_for(digits):
    blocks = build(f"pplcnet:width=0.5,se={digits},large_kernel={digits}").body
    names = [[type(layer).__name__ for layer in block] for block in blocks]
    assert "".join(str(int("SqueezeExcite" in layers)) for layers in names) == digits
    assert "".join("1" if block[0][0].kernel_size == (5, 5) else "0" for block in blocks) == digits


def test_a_ghost_module_without_surplus_makes_one_map_in_ratio_by_a_dense_convolution():
    from bench.models.ghostnetv1 import GhostModule

    module = GhostModule(16, 40, ratio=4, kernel=5)
    assert module.primary[0].out_channels == 10
    assert module.cheap[0].kernel_size == (5, 5)
    assert module(torch.zeros(1, 16, 4, 4)).shape == (1, 40, 4, 4)
    assert GhostModule(16, 41, ratio=4, kernel=5)(torch.zeros(1, 16, 4, 4)).shape == (1, 41, 4, 4)


def test_shufflenetv1_shuffles_as_its_authors_code_does():
    """After the depthwise convolution, from interleaved channels to grouped ones."""
    unit = shufflenetv1.Unit(48, 48, 1, 3, dense_first=False, shuffle=True, se=False).eval()
    x = torch.randn(2, 48, 5, 5, generator=torch.Generator().manual_seed(0))
    y = unit.depthwise(unit.reduce(x))
    assert y.shape[1] == 12
    grouped = y[:, [a * 3 + g for g in range(3) for a in range(4)]]
    assert torch.equal(unit(x), torch.relu(x + unit.expand(grouped)))


@pytest.mark.parametrize("spec", ["shufflenetv2:width=0.5", "shufflenetv2:depth=50", "se-shufflenetv2-164"])
def test_shufflenetv2_splits_even_and_odd_channels_as_its_authors_code_does(spec):
    model = build(spec).eval()
    unit = model.stages[1][1]
    x = torch.randn(1, 96 if "0.5" in spec else 488 if "50" in spec else 512, 4, 4)
    even, odd = x[:, 0::2], x[:, 1::2]
    y = unit.branch(odd)
    expected = torch.relu(torch.cat((even, odd + y), dim=1)) if "164" in spec else torch.cat((even, y), dim=1)
    assert torch.equal(unit(x), expected)


def test_only_the_networks_of_the_authors_table_have_no_bias_in_the_classifier():
    with torch.device("meta"):
        biased = {
            s: build(f"shufflenetv2{s}").classifier.bias is not None
            for s in ("", ":width=2", ":half_shortcut=true", ":depth=50", ":depth=164,residual=true,se=true")
        }
    assert list(biased.values()) == [False, False, True, True, True]
    assert build("shufflenetv1").classifier.bias is None


@pytest.mark.usefixtures("unfilled")
@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("squeezenet", "squeezenet1_0"),
        ("squeezenet:version=1.1", "squeezenet1_1"),
        ("shufflenetv2:width=0.5,half_shortcut=true", "shufflenet_v2_x0_5"),
        ("shufflenetv2:half_shortcut=true", "shufflenet_v2_x1_0"),
        ("shufflenetv2:width=1.5,half_shortcut=true", "shufflenet_v2_x1_5"),
        ("shufflenetv2:width=2,half_shortcut=true", "shufflenet_v2_x2_0"),
        ("mobilenetv2", "mobilenet_v2"),
        ("mobilenetv3-large", "mobilenet_v3_large"),
        ("mobilenetv3-small", "mobilenet_v3_small"),
    ],
)
def test_the_network_is_torchvisions(spec, name):
    assert_same_network(build(spec), torchvision_model(name), 96)


@pytest.mark.usefixtures("unfilled")
@pytest.mark.parametrize(
    ("spec", "name", "options"),
    [
        ("mobilenetv1", "mobilenetv1_100", {"act_layer": nn.ReLU}),
        ("mobilenetv1:width=1.25", "mobilenetv1_125", {"act_layer": nn.ReLU}),
        ("mobilenetv2:width=0.35", "mobilenetv2_035", {}),
        ("mobilenetv2:width=0.5", "mobilenetv2_050", {}),
        ("mobilenetv2:width=1.4", "mobilenetv2_140", {}),
        ("mobilenetv3:width=0.75", "mobilenetv3_large_075", {}),
        ("mobilenetv3:size=small,width=0.75", "mobilenetv3_small_075", {}),
        ("mobilenetv3:minimalistic=true", "tf_mobilenetv3_large_minimal_100", {"pad_type": ""}),
        ("mobilenetv3:size=small,minimalistic=true", "tf_mobilenetv3_small_minimal_100", {"pad_type": ""}),
        ("ghostnetv1:width=0.5", "ghostnet_050", {}),
        ("ghostnetv1", "ghostnet_100", {}),
        ("ghostnetv1:width=1.3", "ghostnet_130", {}),
        ("ghostnetv2", "ghostnetv2_100", {}),
        ("ghostnetv2:width=1.3", "ghostnetv2_130", {}),
        ("ghostnetv2:width=1.6", "ghostnetv2_160", {}),
    ],
)
def test_the_network_is_timms(spec, name, options):
    assert_same_network(build(spec), timm_model(name, **options), 96)


@pytest.mark.usefixtures("unfilled")
@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("pplcnet:width=0.35", "lcnet_035"),
        ("pplcnet:width=0.5", "lcnet_050"),
        ("pplcnet:width=0.75", "lcnet_075"),
        ("pplcnet", "lcnet_100"),
        ("pplcnet:width=1.5", "lcnet_150"),
    ],
)
def test_pplcnet_is_timms_without_the_bias_of_the_last_convolution(spec, name):
    assert_same_network(build(spec), timm_model(name), 96, drop=("conv_head.bias",))
