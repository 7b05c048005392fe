"""A bare loop over the API of each runtime, as its own documentation would write it: what `bench` is held against.

    python -P benchmarks/bare_loops.py RUNTIME FOLDER MODEL

FOLDER is that of an artifact, MODEL the file that the runtime loads. It loads, warms up and says so in a line; then
each line on stdin is the seconds of a block, and is answered by the median of its calls in ns and their number. Nothing
of `bench` runs in it, but for torch, whose module has to be built.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WARM_S, LEAD_IN = 0.2, 3
Infer = Callable[[], object]


def onnxruntime(folder: Path, model: str, x: Any) -> Infer:
    """One thread, and everything else as it is."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, feeds)


def torch(folder: Path, model: str, x: Any) -> Infer:
    """Eager, gradients off."""
    import torch

    from bench.artifact.artifact import load
    from bench.artifact.build import rebuild

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    module, given = rebuild(load(folder)), torch.from_numpy(x)
    return lambda: module(given)


def litert(folder: Path, model: str, x: Any) -> Infer:
    """The interpreter with its default delegate."""
    from ai_edge_litert.interpreter import Interpreter

    net = Interpreter(model, num_threads=1)
    net.allocate_tensors()
    net.set_tensor(net.get_input_details()[0]["index"], x)
    return net.invoke


def ncnn(folder: Path, model: str, x: Any) -> Infer:
    """One thread, fp32: its defaults are all cores and fp16."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.load_param(model)
    net.load_model(model.replace(".param", ".bin"))
    mat = ncnn.Mat(x[0]).clone()

    def infer() -> object:
        extractor = net.create_extractor()
        extractor.input("in0", mat)
        return extractor.extract("out0")

    return infer


def mnn(folder: Path, model: str, x: Any) -> Infer:
    """The session's interface; the input is copied in every call, because its memory is used again."""
    import MNN

    net = MNN.Interpreter(model)
    session = net.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
    place = net.getSessionInput(session)
    host = MNN.Tensor(x.shape, MNN.Halide_Type_Float, x, MNN.Tensor_DimensionType_Caffe)

    def infer() -> object:
        place.copyFrom(host)
        return net.runSession(session)

    return infer


def executorch(folder: Path, model: str, x: Any) -> Infer:
    """The runtime of its wheel, with a pool of one thread."""
    import torch
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    portable_lib._unsafe_reset_threadpool(1)
    program = Runtime.get().load_program(model)
    method, given = program.load_method("forward"), [torch.from_numpy(x)]
    return lambda: method.execute(given)


def block(infer: Infer, seconds: float) -> dict[str, float]:
    """Time every call for so long, after three that nobody times: another process has had the core."""
    clock, times, spent = time.perf_counter_ns, list[int](), 0
    for _ in range(LEAD_IN):
        infer()
    while spent < seconds * 1e9:
        start = clock()
        infer()
        times.append(clock() - start)
        spent += times[-1]
    return {"ns": statistics.median(times), "inferences": len(times)}


def main() -> None:
    """Load, warm up, answer."""
    runtime, folder, model = sys.argv[1:]
    with np.load(Path(folder, "reference.npz")) as data:
        x = np.array(data["input_0"])
    infer: Infer = globals()[runtime](Path(folder), model, x)
    print(json.dumps(block(infer, WARM_S)), flush=True)
    for line in sys.stdin:
        print(json.dumps(block(infer, float(line))), flush=True)


if __name__ == "__main__":
    main()
