"""The networks that predictions are held against: the zoo in groups, a hundred and more from outside, two spaces.

The rule for those from outside, written down before any of them was measured: of every family of image networks that
timm and torchvision build without weights, and that the zoo cannot build at any width, one to three of the smallest
members, at their own resolution. A network is left out if it cannot be exported, or, once it is, has more than
`MOST_MACS` or `MOST_BYTES`; nothing is left out for its latency or its prediction. `benchmarks/predict_measure.py
export` tells which are.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.plan import zoo
from bench.plan.case import Network
from bench.plan.suite import shipped

ROOT = Path(__file__).parent.parent
SETS = ("outside", "zoo", "mobile", "residual")
MOST_MACS = 5_000_000_000
MOST_BYTES = 100_000_000
DRAWN = 100  # networks of each search space
RESOLUTIONS = (160, 192, 224)  # that are drawn for them
# Families of the zoo that are left out together: they share blocks.
GROUPS = {
    "ghost": ("ghostnetv1", "ghostnetv2"),
    "shuffle": ("shufflenetv1", "shufflenetv2"),
    "mobile": ("mobilenetv1", "mobilenetv2", "mobilenetv3", "mnasnet", "efficientnet"),
    "resnet": ("resnet", "resnext"),
    "nasnet": ("nasnet", "pnasnet"),
    "pplcnet": ("pplcnet",),
    "others": ("alexnet", "condensenet", "densenet", "igcv3", "inceptionv3", "squeezenet", "vgg", "xception"),
}
# Family and members. A family is what is left out together where a baseline is trained on measured networks.
OUTSIDE = {
    "byoanet": "botnet26t_256 eca_halonext26ts lambda_resnet26rpt_256",
    "gernet": "gernet_s gernet_m",
    "repvgg": "repvgg_a0 repvgg_a1",
    "resnext_ts": "resnext26ts gcresnext26ts",
    "regnetz": "regnetz_005 regnetz_b16",
    "mobileone": "mobileone_s0 mobileone_s1 mobileone_s2",
    "cait": "cait_xxs24_224",
    "coat": "coat_lite_tiny coat_lite_mini",
    "convit": "convit_tiny",
    "convnext": "convnext_zepto_rms convnext_atto convnext_femto",
    "convnextv2": "convnextv2_atto convnextv2_femto convnextv2_pico",
    "cpubone": "cpubone_nano cpubone_t0",
    "crossvit": "crossvit_tiny_240 crossvit_9_240",
    "csatv2": "csatv2",
    "csp": "cs3darknet_s cs3darknet_focus_s cspresnext50",
    "cspnext": "cspnext_tiny cspnext_s",
    "deit": "deit_tiny_patch16_224 deit_tiny_distilled_patch16_224 deit_small_patch16_224",
    "dla": "dla46_c dla46x_c dla60x_c",
    "dpn": "dpn48b dpn68",
    "edgenext": "edgenext_xx_small edgenext_x_small edgenext_small",
    "efficientformer": "efficientformer_l1",
    "efficientformerv2": "efficientformerv2_s0 efficientformerv2_s1",
    "efficientnet_lite": "efficientnet_lite0 efficientnet_lite1",
    "efficientnet_edge": "efficientnet_es",
    "efficientnet_gn": "efficientnet_b0_gn",
    "efficientnetv2": "efficientnetv2_rw_t",
    "semnasnet": "semnasnet_050 semnasnet_075",
    "singlepath": "spnasnet_100",
    "fbnet": "fbnetc_100 fbnetv3_b",
    "hardcorenas": "hardcorenas_a hardcorenas_d",
    "mixnet": "mixnet_s mixnet_m",
    "tinynet": "tinynet_a tinynet_c tinynet_e",
    "efficientvim": "efficientvim_m1",
    "efficientvit_mit": "efficientvit_b0 efficientvit_b1",
    "efficientvit_msra": "efficientvit_m0 efficientvit_m2 efficientvit_m4",
    "eva": "eva02_tiny_patch14_224",
    "fasternet": "fasternet_t0 fasternet_t1",
    "fastvit": "fastvit_t8 fastvit_t12",
    "gcvit": "gcvit_xxtiny",
    "ghostnetv3": "ghostnetv3_050 ghostnetv3_100",
    "hgnet": "hgnet_tiny",
    "hgnetv2": "hgnetv2_b0 hgnetv2_b1",
    "hrnet": "hrnet_w18_small",
    "iformer": "iformer_t iformer_s",
    "inception_next": "inception_next_atto",
    "lcnetv2": "lcnetv2_small lcnetv2_base",
    "levit": "levit_128s levit_192 levit_conv_128s",
    "lowformer": "lowformer_b0",
    "mambaout": "mambaout_femto",
    "maxxvit": "coatnet_pico_rw_224",
    "mlp": "mixer_s32_224 gmixer_12_224 resmlp_12_224",
    "gmlp": "gmlp_ti16_224",
    "mobilenetv4": "mobilenetv4_conv_small_050 mobilenetv4_conv_small mobilenetv4_conv_medium",
    "mobilenetv4_hybrid": "mobilenetv4_hybrid_medium",
    "mobilevit": "mobilevit_xxs mobilevit_xs",
    "mobilevitv2": "mobilevitv2_050 mobilevitv2_075",
    "nfnet": "nf_regnet_b0 nf_resnet26",
    "pit": "pit_ti_224 pit_xs_224",
    "poolformer": "poolformer_s12 poolformerv2_s12",
    "pvt": "pvt_v2_b0 pvt_v2_b1",
    "regnetx": "regnetx_002 regnetx_006 regnetx_016",
    "regnety": "regnety_002 regnety_006 regnety_016",
    "repghost": "repghostnet_050 repghostnet_100",
    "repvit": "repvit_m0_9 repvit_m1_0",
    "res2net": "res2net50_14w_8s res2next50",
    "resnest": "resnest14d",
    "resnet_t": "resnet10t resnet14t resnet26t",
    "ecaresnet": "ecaresnet26t",
    "senet": "seresnet18 legacy_seresnext26_32x4d seresnext26t_32x4d",
    "resnetv2": "resnetv2_18",
    "rexnet": "rexnet_100 rexnet_130 rexnetr_100",
    "selecsls": "selecsls42b",
    "sknet": "skresnet18",
    "shvit": "shvit_s1 shvit_s2",
    "starnet": "starnet_s050 starnet_s1 starnet_s2",
    "swiftformer": "swiftformer_xs swiftformer_s",
    "tiny_vit": "tiny_vit_5m_224",
    "twins": "twins_svt_small",
    "visformer": "visformer_tiny",
    "vit": "vit_tiny_patch16_224 vit_small_patch32_224 vit_tiny_r_s16_p8_224",
    "vovnet": "ese_vovnet19b_slim_dw ese_vovnet19b_slim",
    "xcit": "xcit_nano_12_p16_224 xcit_tiny_12_p16_224",
    "torchvision": "torchvision:googlenet torchvision:regnet_y_400mf torchvision:efficientnet_b1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """A network, the set it is in, and what is left out with it."""

    network: Network
    set: str
    family: str

    @property
    def name(self) -> str:
        """How tables of kernels and measurements name it."""
        return str(self.network)


def members(sets: Sequence[str] = SETS) -> list[Member]:
    """Return all networks of the sets. Those of the spaces are named by their file, from the root of the project."""
    found = []
    if "outside" in sets:
        most = max(len(names.split()) for names in OUTSIDE.values())
        for i in range(most):  # the first of every family, then the second: what is cut short has all families
            for family, names in OUTSIDE.items():
                for name in names.split()[i : i + 1]:
                    ref = zoo.resolve(name if ":" in name else f"timm:{name}")
                    found.append(Member(Network(ref), "outside", family))
    if "zoo" in sets:
        group = {family: name for name, families in GROUPS.items() for family in families}
        for text in shipped()["zoo"].models:
            ref = zoo.resolve(text)
            found.append(Member(Network(ref), "zoo", group[ref.source]))
    for seed in range(DRAWN):
        for space in ("mobile", "residual"):
            if space in sets:
                ref = zoo.resolve(f"benchmarks/predict_spaces.py:{space}:seed={seed}")
                side = random.Random(f"{space} {seed}").choice(RESOLUTIONS)
                found.append(Member(Network(ref, resolution=side), space, f"{space} space"))
    return found


def list_hash() -> str:
    """Return a hash of all names: another list is another protocol."""
    return hashlib.sha256("\n".join(member.name for member in members()).encode()).hexdigest()[:16]
