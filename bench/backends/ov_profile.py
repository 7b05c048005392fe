"""OpenVINO's counters: a cumulative mean per operator since the model was compiled, in whole microseconds.

``PerfCount`` (``src/plugins/intel_cpu/src/perf_count.h``) adds up each inference's time cut to whole microseconds and
tells the sum divided by the number of inferences, cut again. So a block's mean is the difference of mean times number,
never a median; and what is told is about one microsecond short: half of one for each cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.backends.loop import time_block
from bench.backends.ov_graph import info_of, precision_of
from bench.backends.profiling import ProfilerCost, RawProfile, TimedOperator

if TYPE_CHECKING:
    import openvino as ov

    from bench.backends.ort_kernels import KernelList

WARMUP = 3
IDLE = ("Input", "Output", "Const", "Constant", "Parameter", "Result")
LAYOUTS = {"abcd": "nchw", "acdb": "nhwc", "aBcd16b": "nchw16c", "aBcd8b": "nchw8c", "abcde": "ncdhw", "acdeb": "ndhwc"}


class OvProfiler:
    """A second compiled model with counters on; `infer` runs its `request`.

    `buffers` are those bound to the request, kept alive here: the session that they belong to may be closed first.
    `source` is the model's file.
    """

    def __init__(
        self, compiled: ov.CompiledModel, request: ov.InferRequest, infer: Callable[[], None], buffers: object,
        source: str = "",
    ) -> None:  # fmt: skip
        self._source = source
        self._compiled, self._request, self._infer = compiled, request, infer
        self._buffers = buffers
        time_block(infer, WARMUP)
        self._warm = self._means()
        self._count = 0

    def block(self, n: int) -> list[int]:
        """Run `n` inferences with the counters on."""
        self._count += n
        return time_block(self._infer, n)[0]

    def read(self) -> RawProfile:
        """Take the warm-up out of the means and join them with the runtime model, by name."""
        total = WARMUP + self._count
        nodes = {node.get_friendly_name(): node for node in self._compiled.get_runtime_model().get_ordered_ops()}
        layouts = {name: info_of(node).get("outputLayouts", "") for name, node in nodes.items()}
        found = []
        for counter in self._request.get_profiling_info():
            node = nodes.get(counter.node_name)
            # "Not run" is said of what was fused away, and of what ran in less than a microsecond or in place: the
            # latter stand in the runtime model.
            ran = counter.status.name == "EXECUTED" or node is not None
            if not ran or counter.node_type in IDLE:
                continue
            mean_us = _microseconds(counter) * total - self._warm.get(counter.node_name, 0) * WARMUP
            raw = [max(0.0, mean_us / self._count * 1e3)]
            found.append(self._operator(counter, node, raw, layouts))
        truncated = 500.0 + 500.0 * total / self._count
        return RawProfile(tuple(found), ProfilerCost(-truncated, -truncated, 0.0, 1000.0))

    def kernels(self) -> KernelList:
        """List what the counters are of: names differ from one compilation to the next."""
        import openvino as ov

        from bench.backends.ov_kernels import kernels_of

        return kernels_of(self._compiled, ov.Core().read_model(self._source))

    def _means(self) -> dict[str, int]:
        return {counter.node_name: _microseconds(counter) for counter in self._request.get_profiling_info()}

    def _operator(
        self, counter: ov.ProfilingInfo, node: ov.Node | None, raw: list[float], layouts: dict[str, str]
    ) -> TimedOperator:
        if node is None:  # executed, but folded out of the runtime model that is shown
            return TimedOperator(counter.node_name, counter.node_type, raw, implementation=counter.exec_type)
        info = info_of(node)
        sources = [i.get_source_output().get_node() for i in node.inputs()]
        shapes = tuple(tuple(i.get_source_output().get_shape()) for i in node.inputs())
        weight, group = shapes[1] if len(shapes) > 1 else (), 1
        if "Convolution" in counter.node_type and len(weight) == len(shapes[0]) + 1:  # [G, O/G, I/G, ...]
            group, weight = weight[0], (weight[0] * weight[1], *weight[2:])
        before = layouts.get(sources[0].get_friendly_name(), "") if sources else ""
        after = info.get("outputLayouts", "").partition(",")[0]
        origins = info.get("originalLayersNames", "")
        return TimedOperator(
            name=counter.node_name,
            kind=counter.node_type,
            raw_ns=raw,
            origins=tuple(name for name in origins.split(",") if name),
            weight=weight if counter.node_type in _WEIGHTED else (),
            group=group,
            layout_in=_layout(before.partition(",")[0]),
            layout_out=_layout(after),
            precision=precision_of(info),
            implementation=counter.exec_type,
            shapes_in=shapes,
            shape_out=tuple(node.outputs()[0].get_shape()) if node.outputs() else (),
        )


_WEIGHTED = ("Convolution", "GroupConvolution", "Deconvolution", "FullyConnected", "MatMul")


def _layout(code: str) -> str:
    """Name the layouts of images; of the others only those of four axes and more say anything."""
    return LAYOUTS.get(code, code if len(code) > 3 else "")


def _microseconds(counter: ov.ProfilingInfo) -> int:
    microseconds: int = round(counter.real_time.total_seconds() * 1e6)
    return microseconds
