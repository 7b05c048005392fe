"""Static quantisation to int8: an artifact's ONNX file with QuantizeLinear and DequantizeLinear around its operators.

By ONNX Runtime's own quantiser, per channel, weights signed and activations unsigned: with signed ones OpenVINO says
int8 of every convolution and runs it in fp32. Calibrated on the artifact's inputs and on seeded draws of the same kind,
which says nothing of accuracy; nothing here is trained.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.artifact.artifact import Array, Artifact, load
from bench.base.child import ChildFailed, ask
from bench.base.errors import DEBUG, ArtifactError, clip, first_line
from bench.base.wire import Unchecked

DRAWS = 8
TIMEOUT_S = 1800.0


def quantize(artifact: Artifact, output: Path, seed: int) -> None:
    """Write an artifact's network in int8 to `output`, in a process of its own.

    Raises:
        ArtifactError: its weights or inputs are no float32, or the quantiser cannot.
    """
    request = {"artifact": artifact.folder, "output": str(output.absolute()), "seed": seed}
    try:
        ask(f"{__name__}:answer", request, TIMEOUT_S, environment={"PYTHONWARNINGS": "ignore"})
    except ChildFailed as error:
        log = RuntimeError(error.log)
        if error.told:
            raise error.told from log
        raise ArtifactError(f"quantising {clip(artifact.model)} {error.message}", error.hint) from log


def answer(request: Unchecked) -> None:
    """Quantise, in the child."""
    _quantize(load(Path(request["artifact"])), Path(request["output"]), request["seed"])


def _quantize(artifact: Artifact, output: Path, seed: int) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    others = [info.name for info in artifact.inputs if info.dtype != "float32"]
    if others or artifact.precision != "fp32":
        what = f"the input {clip(others[0])}" if others else f"weights in {artifact.precision}"
        raise ArtifactError(
            f"{clip(artifact.model)} has {what}: only fp32 is quantised", "quantise it where it is made"
        )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._draws = _draws(artifact, seed)

        def get_next(self) -> dict[str, Array] | None:
            return next(self._draws, None)

    prepared = output.with_name(f".{output.name}.prepared")
    logging.getLogger().setLevel(logging.ERROR)  # it warns of the preparation that it just had
    try:
        # Its own preparation: shapes are inferred and BatchNorm is folded; symbolic inference is for dynamic axes.
        quant_pre_process(str(artifact.path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(output),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    except Exception as error:  # of no class of its own
        raise ArtifactError(
            f"{clip(artifact.model)} cannot be quantised: {first_line(error)}",
            DEBUG,
        ) from error
    finally:
        prepared.unlink(missing_ok=True)


def _draws(artifact: Artifact, seed: int) -> Iterator[dict[str, Array]]:
    inputs, _ = artifact.reference()
    names = [info.name for info in artifact.inputs]
    yield dict(zip(names, inputs, strict=True))
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS - 1):
        yield {name: rng.standard_normal(x.shape).astype(np.float32) for name, x in zip(names, inputs, strict=True)}
