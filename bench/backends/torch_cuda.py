"""PyTorch on CUDA: the device, the events that time it, and a network captured as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bench.backends.torch_place import outputs
from bench.base.errors import BenchError, OutOfMemory, Unsupported, clip, first_line
from bench.machine import gpu

if TYPE_CHECKING:
    import torch

CAPTURE_WARMUP = 3  # what cuDNN, cuBLAS and the allocator do once must not be captured


class Cuda:
    """One device, and what a session needs of it.

    Raises:
        Unsupported: there is no such device, or this torch does not run on it.
    """

    def __init__(self, index: int) -> None:
        import torch

        self.found = gpu.find(index)
        if not torch.cuda.is_available():
            built = f"was built for CUDA {torch.version.cuda}" if torch.version.cuda else "was built without CUDA"
            raise Unsupported(
                f"no CUDA device for torch: {torch.__version__} {built}, and cannot use {self.found.name}",
                "install the build of torch for this driver, the way pytorch.org tells; or use torch:device=cpu",
            )
        self.place = place_of(index)
        torch.cuda.set_device(index)
        self.name = torch.cuda.get_device_name(index)
        self.gpu = gpu.Gpu(self.found)
        self._begin, self._end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def timed(self, run: Callable[[], None]) -> Callable[[], None]:
        """Return an inference between two events, that ends when the device has ended.

        The caller's clock around it is the host's time, the waiting included.
        """
        begin, end = self._begin, self._end

        def infer() -> None:
            begin.record()
            run()
            end.record()
            end.synchronize()

        return infer

    def device_ns(self) -> int:
        """Return the device's time between the events of the last inference."""
        return round(float(self._begin.elapsed_time(self._end)) * 1e6)

    def capture(self, run: Callable[..., Any], inputs: Sequence[torch.Tensor]) -> tuple[Callable[[], None], Any]:
        """Capture an inference as a CUDA graph; return what launches it again, and where it leaves its outputs.

        The outputs hold what no network gives until it has run: capturing computes nothing.

        Raises:
            Unsupported: the network does what cannot be captured, e.g. waits for the device.
        """
        import torch

        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(CAPTURE_WARMUP):
                run(*inputs)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                result = run(*inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise Unsupported(
                f"the network cannot be captured as a CUDA graph: {first_line(error)}", "leave graph=true out"
            ) from error
        for output in outputs(result):
            output.fill_(float("nan") if output.is_floating_point() else -1)
        return graph.replay, result

    def too_large(self, error: Exception) -> BenchError:
        """Return the error that says how full the device is."""
        full = self.gpu.memory()
        return OutOfMemory(
            f"the model does not fit on {self.name}: {clip(first_line(error), 200)}" + (f" ({full})" if full else ""),
            "try a smaller batch, and see with nvidia-smi who else is on the device",
        )

    def settings(self) -> dict[str, object]:
        """Return what decides how the device computes, besides torch's precision switches."""
        import torch

        major, minor = torch.cuda.get_device_capability(self.place)
        return {
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "compute capability": f"{major}.{minor}",
            "bus": self.found.bus_id,
            "max_mhz": self.gpu.facts().get("max_mhz", "unknown"),
        }

    def close(self) -> None:
        """Give the memory back to the device: the next load is to find another place."""
        import torch

        torch.cuda.empty_cache()


def place_of(index: int) -> torch.device:
    """Return where torch puts tensors."""
    import torch

    return torch.device("cuda", index)
