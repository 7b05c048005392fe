from __future__ import annotations

import pytest

from bench import backends
from bench.base.errors import ParameterError, UnknownName
from bench.export import key
from bench.measure.cases import network_of
from bench.plan import zoo
from bench.plan.case import BackendRef, Case, Network, Settings, cross, same_name
from bench.plan.protocol import Protocol
from bench.plan.zoo import ModelRef


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


def test_ids_are_those_that_rows_have_had_from_the_first() -> None:
    net = ModelRef("onnx", "net.onnx", "net.onnx", {}, None)
    case = Case(Network(net, 4, None, (("x", (1, 3, 16, 16)),)), BackendRef("fake", {}), Settings(2, 33.5), "board")
    assert case.id == "6564a73911dd"
    zoo_net = ModelRef("zoo", "mobilenetv1", "mobilenetv1", {}, 224)
    assert Case(Network(zoo_net, 1, 128), BackendRef("fake", {})).id == "d6cb7f443873"


def test_a_network_is_the_same_whatever_asked_for_its_resolution() -> None:
    small, asked = zoo.resolve("mobilenetv1:resolution=128"), Network(zoo.resolve("mobilenetv1"), resolution=128)
    assert str(Network(small)) == str(asked) == "mobilenetv1 resolution=128 batch=1"
    assert same_name("mobilenetv1 batch=1 resolution=128") == str(asked)
    assert same_name("made up") == "made up"


def test_a_resolution_in_the_name_and_another_beside_it_are_refused() -> None:
    fake = backends.resolve("fake")
    for name, beside in (("mobilenetv1:resolution=128", 160), ("mobilenetv1:resolution=224", 128)):
        with pytest.raises(ParameterError, match=f"in its name, and with {beside} beside it"):
            cross([zoo.resolve("shufflenetv2"), zoo.resolve(name)], [fake], resolutions=(beside,))
        with pytest.raises(ParameterError, match="in its name"):
            network_of(f"{name}@resolution={beside}")
    same = network_of("mobilenetv1:resolution=128@resolution=128")
    assert str(same) == "mobilenetv1 resolution=128 batch=1"
    assert key.key_of(key.recipe(same, 0)) == key.key_of(key.recipe(network_of("mobilenetv1:resolution=128"), 0))


def test_a_mode_is_a_case_of_its_own_and_older_ids_stay() -> None:
    model, fake = zoo.resolve("shufflenetv2"), backends.resolve("fake")
    usual = Case(Network(model), fake)
    assert usual.identity() == {
        "model": "shufflenetv2", "backend": "fake", "target": "local", "threads": 1, "batch": 1, "resolution": 224
    }  # fmt: skip
    rates = [Case(Network(model), fake, Settings(mode="throughput", streams=n)) for n in (None, 1, 2)]
    assert len({case.id for case in (usual, *rates)}) == 4
    assert str(rates[2]) == "shufflenetv2 on fake mode=throughput streams=2"


@pytest.mark.parametrize(
    ("settings", "cores", "streams"),
    [
        (Settings(3), 3, 1),
        (Settings(1, mode="throughput"), None, 8),
        (Settings(3, mode="throughput"), None, 2),
        (Settings(9, mode="throughput"), None, 1),
        (Settings(2, mode="throughput", streams=3), 6, 3),
    ],
)
def test_how_many_cores_and_streams(settings: Settings, cores: int | None, streams: int) -> None:
    assert (settings.cores, settings.streams_on(8)) == (cores, streams)


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "fast"}, {"streams": 2}, {"mode": "throughput", "streams": 0}, {"mode": "throughput", "pace_ms": 5.0}],
)
def test_settings_that_do_not_go_together_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        Settings(**wrong)  # type: ignore[arg-type]
