from __future__ import annotations

import pytest

from bench import backends
from bench.base.errors import ParameterError, UnknownName
from bench.plan import zoo
from bench.plan.case import cross
from bench.plan.protocol import Protocol


def test_a_plan_is_the_cross_product_without_repetition() -> None:
    models = [zoo.resolve(m) for m in ("shufflenetv2", "mobilenetv1", "shufflenetv2:width=1")]
    plan = cross(models, [backends.resolve("fake")], threads=(1, 2), batches=(1, 8))
    assert len(plan.cases) == 2 * 2 * 2
    assert len({case.id for case in plan.cases}) == 8
    assert str(plan.cases[0]) == "shufflenetv2 on fake"


def test_ids_do_not_depend_on_how_a_case_was_written() -> None:
    fake, same = backends.resolve("fake"), backends.resolve("fake:latency_ms=1")
    ids = {
        cross([zoo.resolve("mobilenetv1:resolution=128")], [fake]).cases[0].id,
        cross([zoo.resolve("mobilenetv1")], [fake], resolutions=(128,)).cases[0].id,
        cross([zoo.resolve("mobilenetv1:width=1.0")], [same], resolutions=(128,)).cases[0].id,
    }
    assert len(ids) == 1


@pytest.mark.parametrize("wrong", [{"threads": (0,)}, {"batches": (-1,)}, {"resolutions": (3,)}])
def test_impossible_settings_are_refused(wrong: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ParameterError):
        cross([zoo.resolve("shufflenetv2")], [backends.resolve("fake")], **wrong)  # type: ignore[arg-type]


def test_a_backend_knows_its_options() -> None:
    assert backends.resolve("openvino:precision=bf16").canonical == "openvino:precision=bf16"
    assert backends.resolve("openvino:precision=model").canonical == "openvino"
    assert backends.resolve("onnxruntime:python=/x/python").canonical == "onnxruntime:python=/x/python"
    with pytest.raises(UnknownName, match="precison"):
        backends.resolve("openvino:precison=bf16")
    with pytest.raises(ParameterError):
        backends.resolve("openvino:precision=fp8")
    with pytest.raises(UnknownName):
        backends.resolve("openvinno")


def test_defaults_stand_in_one_place() -> None:
    assert Protocol().launches <= Protocol().max_launches
