"""Static quantisation to int8: an artifact's ONNX file with QuantizeLinear and DequantizeLinear around its operators.

By ONNX Runtime's own quantiser, per channel, weights signed and activations unsigned: with signed ones OpenVINO says
int8 of every convolution and runs it in fp32. Calibrated on a person's inputs, or on the artifact's and on seeded draws
of the same kind, which says nothing of accuracy; nothing here is trained. The result is an artifact of its own, whose
reference outputs are those of the quantised network in ONNX Runtime without optimisation.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bench import __version__
from bench.artifact import calibration
from bench.artifact.artifact import Array, Artifact, MacOp, Quantization, load, made
from bench.artifact.digest import sha256_of, sha256_with_data
from bench.artifact.reference import Reference, relative_l2
from bench.base import cache
from bench.base.child import ChildFailed, ask
from bench.base.errors import DEBUG, ArtifactError, clip, first_line
from bench.base.wire import Unchecked
from bench.export.activations import computes
from bench.export.key import versions

TIMEOUT_S = 1800.0


def ensure(
    artifact: Artifact, given: str = "", told: Callable[[], None] = lambda: None, signed: bool = False
) -> Artifact:
    """Return the artifact of a network in int8, quantised now if the cache does not have it.

    `given` is a calibration file, `told` is called before a quantisation starts. `signed` quantises activations to
    signed numbers, which not every runtime takes for what they are.

    Raises:
        ArtifactError: its weights or inputs are no float32, the calibration file does not fit, or the quantiser cannot.
    """
    calibration.only_fp32(artifact)
    made_from = {
        "artifact": [artifact.sha256, Path(artifact.folder).name],
        "calibration": calibration.digest(given),
        "called": Path(given).name,
        "signed": signed,
        "versions": versions("onnxruntime", "onnx", "numpy"),
        "code": sha256_of(Path(__file__)),
        "isoflops": __version__,
        "format": artifact.format,
    }
    key = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:24]
    request = {"artifact": artifact.folder, "calibration": given, "signed": signed}
    return made(cache.folder("quantized") / key, partial(_in_child, artifact.model, request), told)


def _in_child(model: str, request: Unchecked, draft: Path) -> None:
    try:
        # The quantiser writes the network down several times over, where there is room for it: beside the result.
        with tempfile.TemporaryDirectory(prefix=".scratch-", dir=draft) as scratch:
            quiet = {"PYTHONWARNINGS": "ignore", "TMPDIR": scratch}
            ask(f"{__name__}:answer", {**request, "draft": str(draft)}, TIMEOUT_S, environment=quiet)
    except ChildFailed as error:
        log = RuntimeError(error.log)
        if error.told:
            raise error.told from log
        raise ArtifactError(f"quantising {clip(model)} {error.message}", error.hint) from log


def answer(request: Unchecked) -> None:
    """Quantise, in the child."""
    artifact, draft = load(Path(request["artifact"])), Path(request["draft"])
    path = draft / "model.onnx"
    samples, said = calibration.inputs(artifact, request["calibration"])
    _quantize(artifact, path, samples, request["signed"])
    tried = calibration.fresh(artifact)
    plain, quantised = (run_on(where, artifact, tried) for where in (artifact.path, path))
    cost = max(relative_l2(y, exact) for y, exact in zip(quantised, plain, strict=True))
    _describe(artifact, path, draft, quantised[0], Quantization(_recipe(request["signed"]), said, cost))


def _recipe(signed: bool) -> str:
    import onnxruntime

    activations = "s8" if signed else "u8"
    return f"QDQ {activations}s8 per channel, min-max, onnxruntime {onnxruntime.__version__}"


def _quantize(artifact: Artifact, output: Path, samples: Sequence[Sequence[Array]], signed: bool) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from bench.export.child import EXTERNAL_BYTES

    names = [info.name for info in artifact.inputs]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterator[Sequence[Array]] = iter(samples)

        def get_next(self) -> dict[str, Array] | None:
            found = next(self._left, None)
            return None if found is None else dict(zip(names, found, strict=True))

    folder = tempfile.TemporaryDirectory(prefix="bench-")
    prepared = Path(folder.name, "prepared.onnx")
    # What has its weights in other files is prepared so; in one file it may be more than such a file can hold.
    stored = artifact.bytes + sum((artifact.path.parent / location).stat().st_size for location in artifact.data)
    large = stored > EXTERNAL_BYTES
    logging.getLogger().setLevel(logging.ERROR)  # it warns of the preparation that it just had
    try:
        # Its own preparation: shapes are inferred and BatchNorm is folded; symbolic inference is for dynamic axes.
        quant_pre_process(
            str(artifact.path),
            str(prepared),
            skip_symbolic_shape=True,
            save_as_external_data=bool(artifact.data),
            all_tensors_to_one_file=True,
            external_data_location=f"{prepared.name}.data",
        )
        quantize_static(
            str(prepared),
            str(output),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            use_external_data_format=large,
        )
    except ImportError as error:
        raise ArtifactError(
            f"onnxruntime's quantiser cannot be imported: {first_line(error)}",
            "pip install 'onnxruntime[quantization]'",
        ) from error
    except Exception as error:  # of no class of its own
        raise ArtifactError(
            f"{clip(artifact.model)} cannot be quantised: {first_line(error)}",
            DEBUG,
        ) from error
    finally:
        folder.cleanup()


def run_on(path: Path, artifact: Artifact, tried: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """Run a file on several inputs in ONNX Runtime with every optimisation off."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [info.name for info in artifact.inputs]
        return [[np.asarray(y) for y in session.run(None, dict(zip(names, x, strict=True)))] for x in tried]
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise ArtifactError(
            f"{clip(artifact.model)} in int8 does not run: {first_line(error)}", "measure it in fp32"
        ) from error


def _describe(source: Artifact, path: Path, draft: Path, outputs: list[Array], quantization: Quantization) -> None:
    """Write what is known of the quantised network, and its reference, beside it."""
    import onnx
    import onnxruntime

    from bench.graph.complexity import count
    from bench.graph.onnx_read import fetch_small, lighten, locations_of
    from bench.graph.reading import infer

    model = onnx.load(path, load_external_data=False)
    if not any(node.op_type == "DequantizeLinear" for node in model.graph.node):
        raise ArtifactError(
            f"{clip(source.model)} has no operator that onnxruntime's quantiser quantises",
            "convolutions and matrix products with stored weights are",
        )
    data = locations_of(model)
    fetch_small(model, draft)
    lighten(model)
    inferred = infer(model)
    found = count(model, inferred)
    by = f"onnxruntime {onnxruntime.__version__}, unoptimised, of the quantised network"
    inputs, _ = source.reference()
    Reference(inputs, outputs, [info.name for info in source.outputs], by).save(draft / "reference.npz")
    replace(
        source,
        folder="",
        onnx=path.name,
        sha256=sha256_with_data(path, draft, data),
        bytes=path.stat().st_size,
        precision="int8",
        computes=computes(inferred, {node.name: node.macs for node in found.nodes}),
        macs=found.macs,
        mac_ops=tuple(MacOp(n.name, n.op, n.macs, n.weight, n.group) for n in found.nodes),
        uncounted=found.uncounted,
        reference_by=by,
        data=data,
        stamps=(),
        noise=0.0,
        rounding={},
        quantization=quantization,
        digests={},
    ).save(draft)
