from __future__ import annotations

import pytest

from bench.graph.classes import OpClass
from bench.profiling.classes import GROUP_OF, GROUPS, classify


@pytest.mark.parametrize(
    ("kind", "weight", "group", "expected"),
    [
        ("Conv", (58, 1, 3, 3), 58, OpClass.DEPTHWISE),
        ("GroupConvolution", (58, 29, 1, 1), 2, OpClass.GROUPED),
        ("com.microsoft.nchwc.Conv", (48, 1, 1, 1), 48, OpClass.BATCHNORM),
        ("ConvTranspose", (32, 16, 2, 2), 1, OpClass.TRANSPOSED),
        ("Deconvolution", (32, 16, 2, 2), 1, OpClass.TRANSPOSED),
        ("QLinearConv", (64, 32, 1, 1), 1, OpClass.POINTWISE),
        ("Convert", (), 1, OpClass.CONVERT),
        ("FusedConv", (58, 58, 1, 1), 1, OpClass.POINTWISE),
        ("conv2d", (24, 3, 3, 3), 1, OpClass.DENSE),
        ("FullyConnected", (10, 18), 1, OpClass.MATMUL),
        ("ReorderOutput", (), 1, OpClass.REORDER),
        ("ShuffleChannels", (), 1, OpClass.SHUFFLE),
        ("Concat", (), 1, OpClass.CONCAT),
        ("relu_", (), 1, OpClass.ACTIVATION),
        ("Nothing known", (), 1, OpClass.OTHER),
    ],
)
def test_kinds_of_all_runtimes(kind: str, weight: tuple[int, ...], group: int, expected: str) -> None:
    assert classify(kind, weight, group) == expected


def test_a_reshape_of_a_channel_shuffle_is_one() -> None:
    assert classify("Reshape", shuffles=True) == OpClass.SHUFFLE
    assert classify("Reshape") == OpClass.VIEW
    assert classify("Split", shuffles=True) == OpClass.SPLIT


def test_every_class_is_in_one_group() -> None:
    assert set(GROUP_OF) == set(OpClass)
    assert len(GROUP_OF) == sum(len(names) for names in GROUPS.values())
