"""Weights that are drawn in parts are those that are drawn at once."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from bench.models import weights  # noqa: E402 (it needs torch)


@pytest.mark.parametrize("shape", [(3,), (16,), (31, 1), (64,), (65,), (63,), (97, 3), (7, 5, 3, 3)])
def test_a_large_layer_is_drawn_in_parts_and_alike(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "DRAWN", 32)
    most = []
    whole = weights.noise

    def noise(shape: tuple[int, ...], generator: object) -> object:
        drawn = whole(shape, generator)
        most.append(drawn.numel())
        return drawn

    monkeypatch.setattr(weights, "noise", noise)
    in_parts, generator = torch.empty(shape), torch.Generator().manual_seed(3)
    weights._draw(in_parts, generator, 0.7, 0.1)
    again = torch.Generator().manual_seed(3)
    assert torch.equal(in_parts, whole(shape, again).mul_(0.7).add_(0.1).float())
    assert torch.equal(generator.get_state(), again.get_state())  # and so is what comes after
    assert max(most) < 64
