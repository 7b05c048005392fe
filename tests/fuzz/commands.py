"""Command lines and the result files that they read."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bench.base.errors import BenchError
from tests.fuzz import graphs, mutate
from tests.fuzz.files import SUITE, TARGET, profile_json
from tests.fuzz.taking import command, gathered, told

# Command lines: all that happens before anything is measured.

COMMANDS = (
    "run --model tiny.onnx --backend fake --threads 1 --batch 1 --launches 2 --output r.csv --seed 3 --budget 5",
    "run --suite s.toml --target t.toml --pace 33ms --shape x=1x3x16x16 --timeout 9 --resume --format json",
    "ab tiny.onnx@fake tiny.onnx@fake:latency_ms=2 --margin 1% --pairs 5 --shape x=1x3x16x16 --output ab.csv",
    "profile tiny.onnx --backend fake --why --top 3 --output p.json", "profile --from profile.json --format json",
    "predict tiny.onnx --backend onnxruntime --batch 1 --anchor tiny.onnx",
    "roofline --backend onnxruntime --threads 1",
    "inspect tiny.onnx --batch 1 --shape x=1x3x16x16 --format json", "inspect shufflenetv2:width=0.5 --resolution 224",
    "export tiny.onnx --output o.onnx --force --batch 1", "show rows.csv --sort latency --where macs<300M --by backend",
    "compare rows.csv rows.csv --gate 5% --format markdown", "compare rows.csv rows.csv --reference tiny.onnx@fake",
    "history rows.csv --margin 1% --format json", "rank rows.csv --top 5 --predictions rows.csv", "doctor --threads 1",
    "report rows.csv profile.json --output p.html", "report rows.csv --chart latency-flops --output c.svg",
    "targets check t.toml --threads 1", "targets list --format csv", "list models shufflenetv2 --format json",
    "list columns", "list backends", "findings list --format json", "findings run G1 --quick --output e.jsonl",
    "findings show e.jsonl", "cache", "targets status tcp://127.0.0.1:1", "targets serve tcp://127.0.0.1:1 --name a",
)  # fmt: skip


def make_options(rng: random.Random) -> bytes:
    """Change one or two arguments of a command line, or take some, or give some twice."""
    words = rng.choice(COMMANDS).split()
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(words))
        match rng.randrange(6):
            case 0:
                words[at] = rng.choice(mutate.TEXTS)
            case 1:
                words.insert(at, rng.choice((*mutate.TEXTS, *words)))
            case 2:
                del words[at]
            case 3 if len(words) > 1:
                words[at] = str(rng.choice(mutate.NUMBERS))
            case _:
                words[at] = mutate.text(rng, words[at])
        words = words or ["list"]
    return json.dumps([word.replace("\0", "") for word in words]).encode()  # no argument of a process holds a NUL


def take_options(content: bytes, folder: Path) -> None:
    """Call the command line in this process, up to where a device would be reached or a network exported."""
    (folder / "tiny.onnx").write_bytes(graphs.seeds()[0])
    (folder / "rows.csv").write_bytes(rows_csv())
    (folder / "profile.json").write_text(profile_json())
    (folder / "t.toml").write_text(TARGET)
    (folder / "s.toml").write_text(SUITE)
    with nothing_measured(), contextlib.chdir(folder):
        command(json.loads(content))


@contextlib.contextmanager
def nothing_measured() -> Iterator[None]:
    """Let no worker, connection or export begin."""
    from unittest.mock import patch

    def refuse(*_: object, **__: object) -> None:
        raise BenchError("nothing is measured here")

    with contextlib.ExitStack() as stack:
        for name in ("bench.transport.local.LocalProcess.__init__", "bench.transport.connection.Connection.__init__",
                     "bench.export._export", "bench.base.child.ask", "bench.transport.ssh.connected",
                     "bench.transport.dask.client", "bench.transport.dask.require_scheduler"):  # fmt: skip
            stack.enter_context(patch(name, refuse))
        yield


# Result files.


@cache
def rows_csv() -> bytes:
    """Return result rows as `bench run` writes them: two targets, nights, a row that failed."""
    import tempfile

    from tests.report.results import nights, two_targets

    with tempfile.TemporaryDirectory() as folder:
        two_targets(Path(folder, "a.csv"))
        nights(Path(folder, "a.csv"), 6, 3)
        return Path(folder, "a.csv").read_bytes()


def make_rows(rng: random.Random) -> bytes:
    """Change cells, columns, lines or the encoding of a file of rows."""
    lines = [line.split(",") for line in rows_csv().decode().splitlines()]
    for _ in range(rng.randint(1, 4)):
        row, column = rng.randrange(len(lines)), rng.randrange(len(lines[0]))
        match rng.randrange(8):
            case 0 | 1 | 2:
                lines[row][column % len(lines[row])] = rng.choice((*mutate.TEXTS, *map(str, mutate.NUMBERS)))
            case 3:
                lines[row] = lines[row][:column]
            case 4:
                lines[row] += ["x"] * rng.randint(1, 3)
            case 5:
                for line in lines:
                    del line[column : column + 1]
            case 6:
                lines.insert(row, lines[0])
            case _:
                lines[row] = [mutate.text(rng, ",".join(lines[row]))]
        if not lines[0]:
            break
    content = rng.choice(("\n", "\n", "\r\n")).join(",".join(line) for line in lines)
    encoding = rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"))
    found = content.encode(encoding, "replace") + rng.choice((b"\n", b"\n", b"", b"\n\n"))
    return mutate.octets(rng, found) if rng.random() < 0.2 else found


def take_rows(content: bytes, folder: Path) -> None:
    """Read a file of rows in every way that there is."""
    from bench.rows import file as records

    path, whole = folder / "rows.csv", folder / "whole.csv"
    path.write_bytes(content)
    whole.write_bytes(rows_csv())
    with told():
        records.read(path)
    with told():
        records.prepare(folder / "rows.csv")
    for words in (["show", path, "--format", "json"], ["compare", whole, path, "--gate", "5%"], ["history", path]):
        command([str(word) for word in words])
    with told():
        gathered(folder)
