"""ncnn on the CPU: Tencent's runtime for phones. Converted from ONNX by pnnx.

Timed as ``create_extractor``, ``input`` and ``extract``: an extractor holds the blobs of one inference, so that a new
one is part of every inference that anybody makes. Its memory comes from the network's own pool.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bench.artifact.artifact import Artifact
from bench.backends import converter
from bench.backends.base import (
    Array,
    Backend,
    Capabilities,
    Conversion,
    Effective,
    Options,
    Placement,
    Session,
    parameters,
)
from bench.backends.ran import precision_by_error, threads_by_time
from bench.base.errors import DEBUG, MeasureError, MissingExtra, Unsupported, clip
from bench.plan.case import Settings
from bench.plan.parameter import Parameter

if TYPE_CHECKING:
    import ncnn

PARAM, WEIGHTS, AXES = "net.param", "net.bin", "axes.json"
FP16 = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")
BF16 = ("use_bf16_packed", "use_bf16_storage")
# What else changes speed or numbers, at the runtime's own defaults, which are the same today.
FIXED = {
    "use_vulkan_compute": False,
    "use_int8_inference": True,
    "use_packing_layout": True,
    "use_winograd_convolution": True,
    "use_sgemm_convolution": True,
}
READ = "import sys, ncnn; sys.exit(3 if ncnn.Net().load_param(sys.argv[1]) else 0)"


class NcnnSession(Session):
    """A network in an ``ncnn.Net``."""

    def __init__(self, artifact: Artifact, settings: Settings, options: Options) -> None:
        import ncnn
        import numpy as np

        self._artifact, self._asked = artifact, settings.threads
        asked = str(options["precision"])
        self._reduced = asked if asked in ("fp16", "bf16") else ""
        self._net = ncnn.Net()
        self._set(self._net.opt)
        if self._net.load_param(str(artifact.converted_path(PARAM))):
            raise Unsupported("ncnn cannot read the graph that pnnx wrote", converter.REMEDY)
        if self._net.load_model(str(artifact.converted_path(WEIGHTS))):
            raise Unsupported("ncnn cannot read the weights that pnnx wrote", converter.REMEDY)
        axes = json.loads(artifact.converted_path(AXES).read_text("utf-8"))
        inputs, _ = artifact.reference()
        # A Mat of an array neither copies it nor keeps it alive, and has no count of references, which an operator that
        # works in place looks at (it crashes). A clone has all three.
        self._inputs = [
            (name, ncnn.Mat(np.ascontiguousarray(x), **_batch(axes, name)).clone())
            for name, x in ((f"in{i}", x) for i, x in enumerate(inputs))
        ]
        self._axes = axes
        self._outputs = [(f"out{i}", ncnn.Mat()) for i in range(len(artifact.outputs))]
        create, feeds, results = self._net.create_extractor, self._inputs, self._outputs

        def infer() -> None:
            extractor = create()
            for name, mat in feeds:
                extractor.input(name, mat)
            for name, mat in results:
                if extractor.extract(name, mat):
                    raise MeasureError(f"ncnn does not give the output {name}")

        self.infer = infer

    def _set(self, opt: ncnn.Option) -> None:
        """Set everything that changes a result silently: left alone, fp16 and all cores."""
        opt.num_threads = self._asked
        for name in (*FP16, *BF16):
            if hasattr(opt, name):  # newer versions have more
                setattr(opt, name, self._reduced == name.split("_")[1])
        for name, value in FIXED.items():
            setattr(opt, name, value)

    def outputs(self) -> list[Array]:
        """Copy the outputs, with the axis of the batch where the network has it."""
        return [mat.numpy(**_batch(self._axes, name)).copy() for name, mat in self._outputs]

    def effective(self) -> Effective:
        """Read the options back; threads are counted, and the error of the output decides on the precision."""
        import ncnn

        opt = self._net.opt
        names = [name for name in dir(opt) if isinstance(getattr(opt, name), (bool, int)) and name[0] != "_"]
        settings: dict[str, object] = {name: getattr(opt, name) for name in names}
        precision = precision_by_error(self._artifact, self.outputs(), self._reduced)
        threads = threads_by_time(self.infer, self._asked)
        return Effective(ncnn.__version__, "cpu", precision, threads, Placement.only("cpu"), settings)

    def close(self) -> None:
        """Drop the blobs, whose memory is the network's, and then the network."""
        del self.infer
        self._inputs.clear()
        self._outputs.clear()
        self._net.clear()


class Ncnn(Backend):
    """ncnn, as its wheel from PyPI has it, without Vulkan."""

    name: ClassVar[str] = "ncnn"
    title: ClassVar[str] = "ncnn, CPU"
    modules: ClassVar[tuple[str, ...]] = ("ncnn",)
    packages: ClassVar[tuple[str, ...]] = ("ncnn",)
    extra: ClassVar[str] = "ncnn"
    wheel: ClassVar[str] = "ncnn"
    parameters: ClassVar[dict[str, Parameter]] = parameters(
        Parameter("precision", "model", choices=("model", "fp32", "fp16", "bf16"), help="storage and arithmetic"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(conversion=Conversion(packages=("pnnx",)))

    def prepare(self, artifact: Artifact, options: Options, folder: Path) -> None:
        """Convert by pnnx, weights in fp32, and note which axis of inputs and outputs is that of the batch."""
        program = pnnx()
        others = [info.name for info in (*artifact.inputs, *artifact.outputs) if info.dtype != "float32"]
        if others:
            raise Unsupported(f"ncnn takes and gives float32, and {clip(others[0])} is none", "use another runtime")
        with tempfile.TemporaryDirectory(prefix="bench-pnnx-") as name:
            work = Path(name)
            model = _one_file(artifact, work)
            shapes = ",".join(f"[{','.join(map(str, info.shape))}]f32" for info in artifact.inputs)
            files = {"pnnxparam": work / "p", "pnnxbin": work / "b", "pnnxpy": work / "p.py", "pnnxonnx": work / "o"}
            files |= {"ncnnparam": folder / PARAM, "ncnnbin": folder / WEIGHTS, "ncnnpy": work / "ncnn.py"}
            places = [f"{key}={path}" for key, path in files.items()]
            said = converter.run("pnnx", [program, str(model), f"inputshape={shapes}", "fp16=0", *places], work)
            if not all((folder / name).exists() for name in (PARAM, WEIGHTS)):
                raise Unsupported(f"pnnx wrote no network: {converter.last_line(said)}", DEBUG)
            _try(folder / PARAM, work)
            axes = batch_axes((work / "ncnn.py").read_text("utf-8"))
        (folder / AXES).write_text(json.dumps(axes), "utf-8")

    def load(self, artifact: Artifact, settings: Settings, options: Options) -> NcnnSession:
        """Load what was converted; see `bench.backends.base.Backend.load`."""
        return NcnnSession(artifact, settings, options)


def pnnx() -> str:
    """Return where the converter's program is.

    Raises:
        MissingExtra: it is not installed.
    """
    found = find_spec("pnnx")  # which is not imported: it would bring torch, and the program needs none
    for place in (found.submodule_search_locations or ()) if found else ():
        for program in (Path(place, "pnnx"), Path(place, "bin", "pnnx")):
            if program.is_file():
                return str(program)
    raise MissingExtra("pnnx, which converts ONNX files for ncnn,", hint=Ncnn().install_hint())


def _try(param: Path, work: Path) -> None:
    """Let ncnn read the graph: pnnx passes on what it does not know, and ncnn names it on stderr alone."""
    try:
        converter.run("ncnn", [sys.executable, "-P", "-c", READ, str(param)], work)
    except Unsupported as error:
        missing = re.findall(r"layer (\S+) not exists", error.message)
        what = f"ncnn has no operator {clip(missing[0], 100)}" if missing else error.message
        raise Unsupported(what, "use another runtime") from error


def batch_axes(script: str) -> dict[str, int]:
    """Return which axis of an input or output is the batch's, by name, from the script that pnnx writes beside."""
    given = re.findall(r"\b(in\d+)\.numpy\(\), batch_index=(\d+)", script)
    returned = re.findall(r"\b(out\d+)\.numpy\(batch_index=(\d+)", script)
    return {name: int(axis) for name, axis in (*given, *returned)}


def _batch(axes: dict[str, int], name: str) -> dict[str, int]:
    return {"batch_index": axes[name]} if name in axes else {}


def _one_file(artifact: Artifact, work: Path) -> Path:
    """Write the artifact's ONNX file, with its external data in it: pnnx writes beside what it reads."""
    import onnx

    path = work / "net.onnx"
    onnx.save(onnx.load(artifact.path), path)
    return path
