from __future__ import annotations

import pytest

from bench.graph.classes import CLASSES, OpClass, classify

X = (1, 32, 14, 14)


@pytest.mark.parametrize(
    ("op", "attributes", "shapes", "op_class"),
    [
        ("Conv", {}, [X, (64, 32, 1, 1)], "conv 1x1"),
        ("Conv", {"strides": (2, 2)}, [X, (64, 32, 1, 1)], "conv 1x1"),
        ("Conv", {"group": 1}, [X, (64, 32, 3, 3)], "conv dense"),
        ("Conv", {}, [X, (64, 32, 1, 3)], "conv dense"),
        ("Conv", {"group": 4}, [X, (64, 8, 1, 1)], "conv grouped"),
        ("Conv", {"group": 32}, [X, (32, 1, 3, 3)], "conv depthwise"),
        ("Conv", {"group": 32}, [X, (64, 1, 3, 3)], "conv depthwise"),
        ("Conv", {"kernel_shape": (1, 1)}, [], "conv 1x1"),
        ("Conv", {"kernel_shape": (3, 3), "group": 32}, [], "conv grouped"),
        ("QLinearConv", {}, [X, (), (), (64, 32, 1, 1)], "conv 1x1"),
        ("com.microsoft.FusedConv", {"activation": "Relu"}, [X, (64, 32, 1, 1)], "conv 1x1"),
        ("com.microsoft.nchwc.Conv", {"group": 48}, [None, (48, 1, 3, 3)], "conv depthwise"),
        ("com.microsoft.nchwc.Conv", {"group": 48}, [None, (48, 1, 1, 1)], "batchnorm"),
        ("com.microsoft.nchwc.ReorderInput", {}, [X], "reorder"),
        ("ConvTranspose", {}, [X, (32, 16, 2, 2)], "conv transposed"),
        ("FusedGemm", {}, [], "matmul"),
        ("Transpose", {}, [X], "transpose"),
        ("Reshape", {}, [X], "view"),
        ("Split", {}, [X], "split/slice"),
        ("ReduceMean", {}, [X], "pooling"),
        ("SkipLayerNormalization", {}, [X], "normalization"),
        ("NobodyKnowsIt", {}, [X], "other"),
    ],
)
def test_classes(op, attributes, shapes, op_class) -> None:
    assert classify(op, attributes, shapes) == op_class


def test_every_class_has_a_family_and_an_operator() -> None:
    families = {c.family for c in OpClass}
    assert families == {"convolution", "matmul", "data movement", "element-wise", "pooling", "normalization", "other"}
    assert set(CLASSES.values()) >= {c for c in OpClass if c.family not in ("convolution", "other")}
