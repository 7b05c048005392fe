"""What fp32 itself costs a network is measured against float64, and decides how far off a runtime may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import backends
from bench.export import ensure
from bench.measure.readback import fault_of
from bench.plan import zoo
from bench.plan.case import Case, Network

TOLD = {
    "effective": {
        "precision": "fp32", "device": "cpu", "threads": 1,
        "placement": {"device": "cpu", "operators": 1.0, "macs": 1.0, "elsewhere": []},
    },
}  # fmt: skip
DEEP = """
import torch
from torch import nn


class Deep(nn.Module):
    \"\"\"Forty layers around a stream that is a thousand times what they add: its digits are lost in every sum.\"\"\"

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(40))

    def forward(self, x):
        y = x + {offset}
        for layer in self.layers:
            y = y + 0.01 * torch.tanh(layer(y - {offset}))
        return (y - {offset}).mean((2, 3))


def net():
    return Deep()
"""


@pytest.mark.parametrize(("offset", "noisy"), [(1000.0, True), (0.0, False)])
def test_a_deep_network_is_allowed_what_fp32_costs_it(tmp_path: Path, offset: float, noisy: bool) -> None:
    pytest.importorskip("onnxscript")
    source = tmp_path / "deep.py"
    source.write_text(DEEP.replace("{offset}", str(offset)))
    network = Network(zoo.resolve(f"{source}:net"), resolution=16)
    artifact = ensure(network, 0)
    told = TOLD | {"macs_executed": artifact.macs}
    fault = fault_of(Case(network, backends.resolve("onnxruntime")), artifact, 3.9e-4, told)
    assert (artifact.noise > 2.5e-5) is noisy
    assert (fault is None) is (artifact.noise * 4 >= 3.9e-4)
    if not noisy:
        assert fault is not None
        assert fault[0] == "mismatch"
