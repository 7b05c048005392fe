"""Every command that measures, on a device: as here, whatever becomes of the connection, and remembered for there."""

from __future__ import annotations

import itertools
import json
import re
import time
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from bench import backends
from bench.base.errors import LinkLost, OutOfReach
from bench.findings import catalog
from bench.findings.finding import Experiment, Finding
from bench.findings.side import Side
from bench.machine import roofs
from bench.machine.environment import Environment, local
from bench.machine.identity import machine_of
from bench.measure import probe_graphs
from bench.plan.protocol import KernelProtocol, Protocol
from bench.predict import campaign, train
from bench.predict.table import KernelTable
from bench.rows import file as records
from bench.transport import remote
from bench.transport.base import Transport
from bench.transport.local import LocalTransport
from tests.conftest import examined, tiny_model
from tests.predict.synthetic import CONTEXT, conv
from tests.transport.piped import Cut, Piped
from tests.transport.sshd import Sshd

FEW = ("--launches", 2, "--loads", 2, "--inferences", 3)
# What each is asked, the request of its worker that the cut falls into, and which one of them.
COMMANDS: list[tuple[tuple[Any, ...], str, int]] = [
    (("ab", "{tiny}@fake", "{tiny}@fake:latency_ms=1.1", "--pairs", 5, "--output", "ab.csv"), "block", 40),
    (
        ("findings", "run", "G1", "--quick", "--backend", "fake:ps_per_mac=1000", "--waves", 3, "--output", "f.jsonl"),
        "block",
        17,
    ),
    (("profile", "{tiny}", "--backend", "fake:latency_ms=2", *FEW), "profile", 3),
    (("profile", "{tiny}", "--vs", "{other}", "--backend", "fake", *FEW, "--pairs", 5), "profile", 6),
    (("roofline", "--backend", "fake", "--again"), "time", 30),
    (("predict", "{tiny}", "--train", 2, "--again", "--anchor", "{tiny}", "--anchor", "{other}"), "kernel", 4),
]
TICK_S = 0.04  # that a training's clock goes on whenever it is looked at
NAMES = [words[0] for words, _, _ in COMMANDS]
Said = tuple[int, Any]


@dataclass
class Here:
    """What each command said on this machine, measured once, and the cache that it shares with its twins on devices."""

    factory: pytest.TempPathFactory
    answers: dict[tuple[Any, ...], Said] = field(default_factory=dict)
    caches: dict[tuple[Any, ...], Path] = field(default_factory=dict)

    def cache(self, asked: tuple[Any, ...]) -> Path:
        if asked not in self.caches:
            self.caches[asked] = self.factory.mktemp("cache")
        return self.caches[asked]

    def __call__(self, asked: tuple[Any, ...], words: dict[str, Path]) -> Said:
        if asked not in self.answers:
            self.answers[asked] = said(asked, words)
        return self.answers[asked]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Here:
    return Here(tmp_path_factory)


@pytest.fixture
def words(
    tiny: Path,
    tmp_path: Path,
    here: Here,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> dict[str, Path]:
    """Two networks; a finding, probes and kernels of a second; a folder of its own, and the cache of its command."""
    import onnx

    other = tmp_path / "other.onnx"
    onnx.save(tiny_model(1), other)
    sides = Side("stack/conv:c=16", resolution=8), Side("stack/conv:c=16,groups=2", resolution=8)
    small = Finding("G1", "c", "s", "p", (Experiment("small", *sides, 0.5, "a phone", quick=True),))
    monkeypatch.setattr(catalog, "catalog", lambda: {"G1": small})
    monkeypatch.setattr(probe_graphs, "ARRAY_BYTES", (1024, 4096))
    quickly = KernelProtocol(passes=1, spare=0, block_ms=0.1, least=3, cold=3)
    monkeypatch.setattr(campaign, "MANY", quickly)
    ticks = itertools.count(0.0, TICK_S)  # a training of two seconds does the same on a slow machine
    monkeypatch.setattr(campaign, "time", SimpleNamespace(monotonic=ticks.__next__))
    monkeypatch.setattr(train, "TRAINING", Protocol(launches=1, max_launches=1, rounds=1))
    monkeypatch.setattr("bench.predict.predictor.LEAST", 1)
    monkeypatch.setattr("bench.predict.regressor.TREES", 8)
    monkeypatch.setattr("bench.predict.regressor.BOOSTS", 8)
    monkeypatch.setattr(remote, "FIRST_PAUSE_S", 0.05)
    if not {"findings", "replicate"} & set(re.findall("[a-z]+", request.node.name)):  # those export with PyTorch: once
        asked = request.node.callspec.params["asked"] if hasattr(request.node, "callspec") else None
        cache = here.cache(asked) if asked else tmp_path_factory.mktemp("cache")
        monkeypatch.setenv("ISOFLOPS_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    return {"tiny": examined(Path(tiny.name)), "other": examined(Path(other.name))}  # as every test calls them


def said(arguments: tuple[Any, ...], words: dict[str, Path], target: object = "local") -> Said:
    """Run a command, and return its exit code and what it says as JSON."""
    name, *rest = (str(word).format(**words) for word in arguments)
    for left in Path().glob("*.jsonl*"):
        left.unlink()
    command = import_module(f"bench.cli.{name}").command
    result = CliRunner().invoke(command, [*rest, "--target", str(target), "--format", "json"], catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout)


def shape(value: Any, key: str = "") -> Any:
    """Leave of an answer what does not depend on a clock: which fields and lists there are, and every word."""
    if isinstance(value, dict):
        return {k: shape(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(v) for v in value]
    return value if isinstance(value, str) and key != "measured_at" else type(value).__name__.replace("int", "float")


def over(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.transport.transport_to", lambda target: transport)


@pytest.mark.parametrize(("asked", "do", "n"), COMMANDS, ids=NAMES)
def test_a_cut_connection_loses_nothing(
    words: dict[str, Path], here: Here, monkeypatch: pytest.MonkeyPatch, asked: tuple[Any, ...], do: str, n: int
) -> None:
    local = here(asked, words)
    cut = Cut(do, n)
    over(cut, monkeypatch)
    there = said(asked, words)
    assert cut.cuts == 1
    assert_alike(asked, there, local)


@pytest.mark.parametrize(("asked", "do", "n"), COMMANDS, ids=NAMES)
def test_over_ssh_it_is_as_here(
    words: dict[str, Path], here: Here, server: Sshd, asked: tuple[Any, ...], do: str, n: int
) -> None:
    assert_alike(asked, said(asked, words, server.target()), here(asked, words))


def assert_alike(asked: tuple[Any, ...], there: Said, here: Said) -> None:
    assert there[0] == here[0]
    if asked[0] == "predict":  # real kernels on a real clock: which fields there are, and which network
        assert [(row["model"], sorted(row)) for row in there[1]] == [(row["model"], sorted(row)) for row in here[1]]
    else:
        assert shape(there[1]) == shape(here[1])


def test_a_replicate_keeps_every_sample_and_counter_once(
    words: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    over(Cut("block", 17), monkeypatch)
    said(COMMANDS[1][0], words)
    replicates = [json.loads(line) for line in Path("f.jsonl").read_text().splitlines() if '"kind":"wave"' in line]
    raw = list(records.read_samples(Path("f.csv")))
    assert [(r["wave"], r["case_id"]) for r in raw] == [
        (i, id) for i, replicate in enumerate(replicates) for id in replicate["sides"]
    ]
    for launch in raw:
        assert {"parity_rel_l2", "warmup_ns", "cores"} <= set(launch)
        assert len(launch["blocks"]) == 2 * 3  # twice in each of three turns
        assert all(block["latency_ns"] and "involuntary_switches" in block["covariates"] for block in launch["blocks"])


class Foreign(Piped):
    """A device with another CPU than this machine's."""

    def environment(self) -> Environment:
        return replace(local(), cpu="another", system_id="board")


def test_what_a_device_taught_is_kept_for_that_device(words: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    board = Foreign().environment()
    over(Foreign(), monkeypatch)
    said(COMMANDS[4][0], words)
    assert roofs.recall(board, "fake", "0", 1) is not None
    assert roofs.recall(local(), "fake", "0", 1) is None
    _, there = said(("profile", "{tiny}", "--why", "--backend", "fake", *FEW), words)
    assert there["roof"]["origin"] == "measured by `bench roofline`"
    said(COMMANDS[5][0], words)
    tables = [path.name.partition("-")[0] for path in roofs.path("x").parent.with_name("predict").glob("*.json.gz")]
    assert tables == [machine_of(board)]
    over(LocalTransport(), monkeypatch)
    _, here = said(("profile", "{tiny}", "--why", "--backend", "fake", *FEW), words)
    assert here["roof"]["origin"] != there["roof"]["origin"]


def test_a_kernel_that_takes_the_device_down_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = KernelTable(CONTEXT, file=tmp_path / "t.json.gz")
    first, second = table.add([conv(7, 16, 16), conv(7, 32, 16)])

    class Probes:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> Probes:
            return self

        def __exit__(self, *_: object) -> None: ...
        def time_kernel(self, kernel: Any, *_: object) -> dict[str, float]:
            if kernel.key == first:
                raise error
            return {"hot_ns": 1.0, "cold_ns": 2.0, "gemm_ns": 1.0}

    monkeypatch.setattr("bench.predict.place.Probes", Probes)
    error: LinkLost = LinkLost("gone, three times")
    begin = time.monotonic()
    assert train.time_kernels(table, backends.resolve("fake"), lambda text: None, deadline=begin + 1e9)
    assert table.timings[first].failed == "gone, three times"
    assert table.timings[second].runs
    table.timings[first].failed = ""
    error = OutOfReach("gone for good")
    with pytest.raises(OutOfReach):
        train.time_kernels(table, backends.resolve("fake"), lambda text: None)
    assert not table.timings[first].failed
