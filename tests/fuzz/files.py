"""Files and texts that a person writes, and files that the program keeps and reads again."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

from tests.fuzz import mutate
from tests.fuzz.taking import command, gathered, told

# Files that are kept or written by a person.

TARGET = """name = "box"
reach = "ssh"
host = "board.local"
port = 2222
cores = [2, 3]
backends = ["onnxruntime"]
notes = "a board"
"""
SUITE = """title = "mine"
models = ["shufflenetv2", "tiny.onnx"]
backends = ["fake"]
threads = [1, 2]
launches = 3
budget = 1.5
reference = "tiny.onnx@fake"
"""


def make_toml(rng: random.Random) -> bytes:
    """Change the text of a target or a suite, or one of its values."""
    one = rng.choice((TARGET, SUITE))
    if rng.random() < 0.5:
        lines = one.splitlines()
        at = rng.randrange(len(lines))
        key = lines[at].partition(" = ")[0]
        plain = (v for v in (rng.choice(mutate.VALUES) for _ in range(9)) if v is not None)
        lines[at] = f"{key} = {rng.choice(('{}', '[{}]')).format(json.dumps(next(plain)).replace('NaN', 'nan'))}"
        one = "\n".join(lines)
    else:
        one = mutate.text(rng, one)
    return one.encode("utf-8", "replace")


def take_toml(content: bytes, folder: Path) -> None:
    """Read a text as a target's, as a suite's, and as what stands after a target's name."""
    from bench.plan import suite, target

    path = folder / "x.toml"
    path.write_bytes(content)
    for read in (target.resolve, suite.resolve):
        with told():
            read(str(path))
    with told():
        target.resolve(f"arm64:{content.decode('utf-8', 'replace')[:300]}")


def make_spec(rng: random.Random) -> bytes:
    """Change one of the texts that name something."""
    return mutate.text(rng, rng.choice(SPECS)).encode("utf-8", "replace")


SPECS = (
    "shufflenetv2:width=0.5,se=true", "tiny.onnx@fake:latency_ms=2@threads=2", "net.py:make:depth=3", "timm:resnet18",
    "job@2/tiny.onnx@openvino:precision=bf16@shape=x=1x3x16x16", "stack/g1:c1=64,c2=64@batch=8",
    "variant/pplcnet-shortcut",
    "tiny.onnx@onnxruntime:python=/a,b=c/python@pace=33ms", "mobilenetv3-small@torch:device=cuda@resolution=64",
    "macs<300M", "status=ok", "latency>=2ms", "30hz", "x=1x3x16x16",
)  # fmt: skip


def take_spec(content: bytes, folder: Path) -> None:
    """Read a text as a case, a model, a backend, a filter, a pace, a shape."""
    from bench import backends
    from bench.measure.cases import canonical, case
    from bench.plan import grammar, pace, shapes, zoo
    from bench.rows import fields, where

    one = content.decode("utf-8", "replace")
    reads: tuple[Callable[[], object], ...] = (
        lambda: grammar.parse(one), lambda: zoo.resolve(one), lambda: backends.resolve(one, here=False),
        lambda: case(one), lambda: canonical(one), lambda: pace.read(one), lambda: shapes.parse([one]),
        lambda: where.parse([one]), lambda: fields.find(one), lambda: zoo.canonical(one),
    )  # fmt: skip
    for read in reads:
        with told():
            read()


@cache
def profile_json() -> str:
    """Return a recorded profile."""
    import tempfile

    from tests.report.results import profile

    with tempfile.TemporaryDirectory() as folder:
        return profile(Path(folder, "p.json")).read_text()


@cache
def kept_files() -> tuple[tuple[str, str], ...]:
    """Return the files that the program writes and reads again: their names and contents."""
    from tests.report.results import EVIDENCE

    lines = EVIDENCE.read_text().splitlines()
    evidence = "\n".join([lines[0], *(line for line in lines[1:] if len(line) < 4000)][:12])
    roof = {
        "fake 1 1": {"backend": "fake", "version": "1", "threads": 1, "precision": "fp32", "peak_gmacs_per_s": 9.0,
                     "bandwidth": [[1000, 5.0]], "measured_at": "2026-01-01", "cores": [0]}
    }  # fmt: skip
    speed = {"fake numpy": [[1e6, 2e6], [1.1e6, 2e6], [1e6, 2.1e6]]}
    samples = "\n".join(json.dumps({"case_id": "a", "launch": i, "blocks": [{"latency_ns": [1, 2]}]}) for i in range(3))
    return (
        ("profile.json", profile_json()), ("e.jsonl", evidence), ("m.roofline.json", json.dumps(roof)),
        ("m.json", json.dumps(speed)), ("r.samples.jsonl.gz", samples), ("artifact.json", artifact_json()),
    )  # fmt: skip


def artifact_json() -> str:
    """Return the description of an artifact."""
    from bench.artifact.artifact import Artifact, TensorInfo

    info = (TensorInfo("x", "float32", (1, 3)),)
    told = Artifact("", "m", "onnx", "model.onnx", "0" * 64, 1, info, info, 1, None, "fp32", 1, 1, (), (), "r", {}, 0)
    return json.dumps(asdict(told))


def make_kept(rng: random.Random) -> bytes:
    """Change a value in one of the files, or its text; the first line of an input is the file's name."""
    name, content = rng.choice(kept_files())
    if rng.random() < 0.6:
        lines = content.splitlines() if name.endswith((".jsonl", ".gz")) else [content]
        at = rng.randrange(len(lines))
        lines[at] = mutate.dump(mutate.value(rng, json.loads(lines[at])))
        data = "\n".join(lines).encode("utf-8", "replace")
    else:
        data = mutate.text(rng, content).encode("utf-8", "replace")
    if name.endswith(".gz"):
        data = gzip.compress(data, 1)
    return name.encode() + b"\n" + (mutate.octets(rng, data) if rng.random() < 0.2 else data)


def take_kept(content: bytes, folder: Path) -> None:
    """Read a file as its name says."""
    from bench.artifact import artifact
    from bench.findings import store
    from bench.findings.catalog import select
    from bench.findings.table import judged
    from bench.machine import baseline, roofs
    from bench.rows import file as records

    name, _, data = content.partition(b"\n")
    path = folder / name.decode()
    path.write_bytes(data)
    with told():
        match path.name:
            case "profile.json":
                command(["profile", "--from", str(path)])
            case "e.jsonl":
                judged(select(("G1",)), store.read(path))
            case "m.roofline.json":
                roofs._read(path)
            case "m.json":
                baseline._read(path)
            case "r.samples.jsonl.gz":
                list(records.read_samples(folder / "r.csv"))
            case _:
                artifact.load(folder)
    with told():
        gathered(folder)
