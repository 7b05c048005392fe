"""What is fed with mutated inputs: of each kind how an input is made, and what takes it. An input is bytes, always."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.fuzz import commands, files, graphs, mutate
from tests.fuzz.taking import told


class Kind(NamedTuple):
    """`make` an input from a source of chance, `take` it in an empty folder: an error not of ours is a find."""

    make: Callable[[random.Random], bytes]
    take: Callable[[bytes, Path], None]


# ONNX files, as `inspect` and the export child read them.


def take_graph(content: bytes, folder: Path) -> None:
    """Count a file, then examine it as the export process does."""
    from bench.export.child import answer
    from bench.export.graph_of import graph_of
    from bench.export.key import recipe
    from bench.graph.summary import summarise
    from bench.plan import zoo
    from bench.plan.case import Network

    path = folder / "model.onnx"
    path.write_bytes(content)
    network = Network(zoo.resolve(str(path)))
    with told():
        found = graph_of(network)
        summarise(found.inferred, "model", {i.name: i.shape for i in found.inputs}, found.params)
    with told():
        draft = folder / "draft"
        draft.mkdir()
        answer(recipe(network, 0) | {"draft": str(draft)})


# What devices and workers say.


@cache
def said() -> tuple[bytes, ...]:
    """Return messages as devices and coordinators send them."""
    from bench.base import wire
    from bench.base.errors import UnknownName
    from bench.machine.environment import local
    from bench.transport import messages as m

    here = m.Identity("p", "1", m.PROTOCOL, local(), [0, 1])
    fault = wire.fault(UnknownName("model", "x", ["y"]))
    block = {"latency_ns": [1, 2, 3], "covariates": {"wall_ns": 5, "cpu_ns": 4}}
    return (
        wire.MARK + m.encode(m.Answer(msgspec.Raw(msgspec.json.encode(here)))) + m.encode(m.Wrote(1), b"abc"),
        m.encode(m.Answer(fault=fault)) + m.encode(m.Ended(1, -9, "log", True)),
        m.encode(m.Hello()) + m.encode(m.Start(1, "bench.measure.worker", "", {"A": "b"}, 5.0), b""),
        m.encode(m.Put("ab" * 32, "model.onnx", 0), b"piece") + m.encode(m.Done("ab" * 32)),
        wire.ok(block).encode(), wire.failed(UnknownName("model", "x", ["y"])).encode(), b'{"ok": 5}\n', b"{}\n",
        b"Welcome to Ubuntu!\n" + wire.MARK + wire.ok({"cores": [0]}).encode(),
    )  # fmt: skip


def make_answer(rng: random.Random) -> bytes:
    """Change the bytes of a message, or the JSON in it."""
    one = rng.choice(said())
    if rng.random() < 0.5:
        return mutate.octets(rng, one)
    lines = one.split(b"\n")
    at = rng.randrange(len(lines))
    size, space, header = lines[at].partition(b" ")
    with contextlib.suppress(ValueError):
        lines[at] = size + space + mutate.dump(mutate.value(rng, json.loads(header or size))).encode()
    return b"\n".join(lines)


def take_answer(content: bytes, folder: Path) -> None:
    """Read bytes as each end of each wire does."""
    from bench.artifact import package
    from bench.base import wire
    from bench.transport import messages as m

    for header, marked in ((m.MESSAGES, True), (m.MESSAGES, False), (m.REQUESTS, False)):
        with told():
            for got, _ in m.Decoder(header, marked).feed(content):
                if isinstance(got, m.Answer) and got.fault is not None:
                    got.fault.error()
    for line in wire.Marked().feed(wire.MARK + content).splitlines():
        for expected in (dict[str, Any], wire.Fault, m.Identity, list[int], str):
            with told():
                wire.take(line, expected)
    with told():
        package.want(content, lambda kind, source: False)


KINDS = {
    "graphs": Kind(graphs.make, take_graph),
    "options": Kind(commands.make_options, commands.take_options),
    "rows": Kind(commands.make_rows, commands.take_rows),
    "answers": Kind(make_answer, take_answer),
    "toml": Kind(files.make_toml, files.take_toml),
    "specs": Kind(files.make_spec, files.take_spec),
    "kept": Kind(files.make_kept, files.take_kept),
}
