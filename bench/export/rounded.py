"""What a lower precision of floats costs a network: every weight and every result of an operator rounded to it.

That is what a runtime does which stores its tensors so and adds up in fp32, as those that have fp16 and bf16 do; one
that rounds in fewer places is closer. Found by running the ONNX file with a pair of casts behind every tensor in ONNX
Runtime without optimisation, on several inputs, once per network and precision.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.artifact import calibration
from bench.artifact.artifact import Artifact, load
from bench.artifact.digest import sha256_of
from bench.artifact.reference import relative_l2
from bench.base import cache
from bench.base.child import ChildFailed, ask
from bench.base.errors import ArtifactError, BenchError, clip
from bench.base.files import write_whole
from bench.base.wire import Unchecked
from bench.export.key import versions
from bench.export.quantize import run_on
from bench.graph.reading import OnnxModel

# ONNX element types of the precisions that are tried.
KINDS = {"fp16": 10, "bf16": 16}
TIMEOUT_S = 600.0
LARGEST_BYTES = 600 << 20  # of a file: several copies of it are held at once


def known(artifact: Artifact, precision: str) -> Artifact:
    """Return the artifact with what `precision` costs it in `Artifact.rounding`; unchanged where that cannot be told.

    It cannot of a network whose weights or inputs are no fp32, or that does not run so.
    """
    if precision not in KINDS or artifact.precision != "fp32" or artifact.bytes > LARGEST_BYTES or artifact.data:
        return artifact
    if any(info.dtype != "float32" for info in artifact.inputs):
        return artifact
    made_from = [artifact.sha256, Path(artifact.folder).name, precision, versions("onnxruntime", "onnx", "numpy")]
    key = hashlib.sha256(json.dumps([*made_from, sha256_of(Path(__file__))]).encode()).hexdigest()[:24]
    file = cache.folder("rounded") / f"{key}.json"
    with cache.locked(file.with_suffix(".lock")):
        try:
            cost = float(json.loads(file.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            cost = _cost(artifact, precision)
            write_whole(file, json.dumps(cost if math.isfinite(cost) else None).encode())
    return replace(artifact, rounding=artifact.rounding | {precision: cost}) if math.isfinite(cost) else artifact


def _cost(artifact: Artifact, precision: str) -> float:
    request = {"artifact": artifact.folder, "precision": precision}
    try:
        told = ask(f"{__name__}:answer", request, TIMEOUT_S, environment={"PYTHONWARNINGS": "ignore"})
        return float(told.rstrip().rpartition("\n")[2])
    except (ChildFailed, BenchError, ValueError):  # not known, then: the tolerance of any network holds
        return math.inf


def answer(request: Unchecked) -> None:
    """Run the network as it is and rounded, in the child; print how far the two are apart."""
    import onnx

    artifact = load(Path(request["artifact"]))
    tried = calibration.fresh(artifact)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder, "rounded.onnx")
        onnx.save(rounded(onnx.load(artifact.path), KINDS[request["precision"]]), path)
        both = zip(run_on(path, artifact, tried), run_on(artifact.path, artifact, tried), strict=True)
        print(f"\n{max(relative_l2(low, exact) for low, exact in both)}")


def rounded(model: OnnxModel, kind: int) -> OnnxModel:
    """Return a model in which every fp32 weight and result of a node goes through an element type and back.

    Raises:
        ArtifactError: shape inference does not tell the type of every tensor.
    """
    import onnx
    from onnx import TensorProto, helper

    inferred = onnx.shape_inference.infer_shapes(model)
    values = (*inferred.graph.value_info, *inferred.graph.output)
    floats = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    unknown = {name for node in model.graph.node for name in node.output if name} - {v.name for v in values}
    if unknown:  # what is not rounded costs nothing, and too little would be allowed
        raise ArtifactError(f"the type of {clip(min(unknown))} is not known")
    nodes, renamed = [], {}

    def through(name: str, result: str) -> None:
        low = f"{name}/low"
        nodes.append(helper.make_node("Cast", [name], [low], to=kind))
        nodes.append(helper.make_node("Cast", [low], [result], to=TensorProto.FLOAT))

    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.dims:
            renamed[tensor.name] = f"{tensor.name}/rounded"
            through(tensor.name, renamed[tensor.name])
    for node in model.graph.node:
        mine = onnx.NodeProto()
        mine.CopyFrom(node)
        del mine.input[:], mine.output[:]
        mine.input.extend(renamed.get(name, name) for name in node.input)
        mine.output.extend(f"{name}/exact" if name in floats else name for name in node.output)
        nodes.append(mine)
        for name in node.output:
            if name in floats:
                through(f"{name}/exact", name)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:], made.graph.value_info[:]
    made.graph.node.extend(nodes)
    return made
