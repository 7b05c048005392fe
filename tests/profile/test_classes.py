from __future__ import annotations

import pytest

from bench.profile import classes
from bench.profile.classes import GROUP_OF, GROUPS, classify


@pytest.mark.parametrize(
    ("kind", "weight", "group", "expected"),
    [
        ("Conv", (58, 1, 3, 3), 58, classes.CONV_DEPTHWISE),
        ("GroupConvolution", (58, 29, 1, 1), 2, classes.CONV_GROUPED),
        ("FusedConv", (58, 58, 1, 1), 1, classes.CONV_POINTWISE),
        ("conv2d", (24, 3, 3, 3), 1, classes.CONV_DENSE),
        ("FullyConnected", (10, 18), 1, classes.MATMUL),
        ("ReorderOutput", (), 1, classes.REORDER),
        ("ShuffleChannels", (), 1, classes.SHUFFLE),
        ("Concat", (), 1, classes.CONCAT),
        ("relu_", (), 1, classes.ACTIVATION),
        ("Nothing known", (), 1, classes.REST),
    ],
)
def test_kinds_of_all_runtimes(kind: str, weight: tuple[int, ...], group: int, expected: str) -> None:
    assert classify(kind, weight, group) == expected


def test_a_reshape_of_a_channel_shuffle_is_one() -> None:
    assert classify("Reshape", shuffles=True) == classes.SHUFFLE
    assert classify("Reshape") == classes.TRANSPOSE_RESHAPE
    assert classify("Split", shuffles=True) == classes.SPLIT_SLICE


def test_every_class_is_in_one_group() -> None:
    assert len(GROUP_OF) == sum(len(names) for names in GROUPS.values())
