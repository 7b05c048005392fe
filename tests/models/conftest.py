from __future__ import annotations

from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Beside another process of tests, threads that wait for each other cost more than they bring."""
    if find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)


@pytest.fixture
def unfilled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are built without their first weights, which a comparison overwrites: drawing them takes longest."""
    init = pytest.importorskip("torch").nn.init
    for name in ("kaiming_normal_", "kaiming_uniform_", "normal_", "trunc_normal_", "uniform_", "xavier_uniform_"):
        monkeypatch.setattr(init, name, lambda tensor, *_, **__: tensor)
