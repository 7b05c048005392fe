"""A file with networks of one's own, and what tests make of them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest

from bench import backends
from bench.artifact.artifact import Artifact, load
from bench.artifact.reference import relative_l2
from bench.backends import prepare
from bench.export.key import recipe
from bench.plan import given, shapes, zoo
from bench.plan.case import Network, Settings

DONE: dict[str, Path] = {}
DRAFTS = TemporaryDirectory(prefix="bench-own-")

# Hugging Face's ways in a few lines: keyword inputs of integers, an optional mask, a dataclass that is a dict, too.
NET = """
import collections
import dataclasses
import torch
from torch import nn

VOCABULARY = 50

class Output(collections.OrderedDict):
    @property
    def logits(self):
        return self["logits"]

class Encoder(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, width)
        self.places = nn.Embedding(64, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 3)

    def forward(self, input_ids, attention_mask=None, return_dict=True):
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.words(input_ids) + self.places(places)
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(1, 2) / x.shape[-1] ** 0.5
        if attention_mask is not None:
            scores = scores.masked_fill(attention_mask[:, None, :] == 0, float("-inf"))
        x = self.norm(x + scores.softmax(-1) @ v)
        out = Output(logits=self.head(x[:, 0]), last_hidden_state=x, loss=None)
        return out if return_dict else (out["logits"], x)

def encoder(width=16):
    return Encoder(width)

def ids(batch=1):
    return {"input_ids": torch.arange(16).repeat(batch, 1), "attention_mask": torch.ones(batch, 16, dtype=torch.long)}

class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Linear(4, 4)

    def forward(self, x, mask):
        return (self.scale(x) * mask).sum(1) / mask.sum(1)

def mean():
    return Mean()

def told(width=16):
    return Encoder(width)

told.example_inputs = ids

def dummies():
    net = Encoder()
    net.dummy_inputs = {"input_ids": torch.tensor([[7, 6, 0], [1, 2, 3]])}
    return net

@dataclasses.dataclass
class Pair:
    total: torch.Tensor
    parts: tuple
    note: str = "no tensor"

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 8), nn.Linear(6, 8)

    def forward(self, a, b, /, scale=1.0):
        x, y = self.left(a), self.right(b)
        return Pair(scale * (x + y), (x, y))

def two():
    net = Two()
    net.example_inputs = (torch.randn(2, 4), torch.randn(2, 6), 0.5)
    return net

def image():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

class Cache:
    pass

def cached():
    class Cached(nn.Module):
        def forward(self, x):
            return {"x": x, "past": Cache()}
    return Cached()

def nothing():
    class Nothing(nn.Module):
        def forward(self, x):
            return {"n": 3}
    return Nothing()
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(NET)
    return path


def network(net: Path, function: str, *told: str, data: Path | None = None, **fields: object) -> Network:
    found = None if data is None else given.read(str(data))
    return Network(zoo.resolve(f"{net}:{function}"), shapes=shapes.parse(told), input=found, **fields)


def made(network: Network, seed: int = 0) -> Artifact:
    """Export in this process, which has PyTorch already: a child takes seconds to import it."""
    from bench.export.child import export

    if str(network) not in DONE:
        draft = Path(mkdtemp(dir=DRAFTS.name))
        export(recipe(network, seed), draft)
        DONE[str(network)] = draft
    return load(DONE[str(network)])


def agrees(artifact: Artifact, backend: str) -> float:
    """Return how far a backend's outputs are from the reference."""
    ref = backends.resolve(backend)
    folder = prepare.ensure(artifact, ref)
    session = backends.session(backends.get(ref.name), folder, Settings(), ref.options)
    session.infer()
    found = relative_l2(session.outputs(), artifact.reference()[1])
    session.close()
    return found
