"""What many tests share: a cache that lives as long as the session, tiny networks, and the command as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest

from bench.artifact.artifact import Artifact
from bench.papers.figures import Counts
from tests.forked import Forks

# What an interpreter reads when it starts: a fork has it from its parent.
PYTHON = {key: value for key, value in os.environ.items() if key.startswith("PYTHON")}
# The first example pays for imports, and the machine may be busy: time is no criterion.
hypothesis.settings.register_profile("bench", deadline=None, max_examples=60)
hypothesis.settings.load_profile("bench")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes, too")
    parser.addoption("--arm", action="store_true", help="run the tests in an emulated aarch64 userland, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    skips = {
        "slow": None if config.getoption("--slow") else "takes minutes; run with --slow",
        "arm": None if config.getoption("--arm") else "builds an emulated aarch64 userland; run with make test-arm",
        "gpu": None if _has_cuda(items) else "no CUDA device",
    }
    for item in items:
        for marker, reason in skips.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def _has_cuda(items: list[pytest.Item]) -> bool:
    if not any(item.get_closest_marker("gpu") for item in items):
        return False
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's own cache: every model is exported at most once, and the person's cache is never touched."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    if "PYTEST_XDIST_WORKER" in os.environ:  # the processes that share the tests share it
        folder = tmp_path_factory.getbasetemp().parent / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["ISOFLOPS_CACHE"] = str(folder)
    return folder


@pytest.fixture(autouse=True)
def _as_much_memory_as_before() -> Iterator[None]:
    """A test that leaves a limit on memory would fail another one, somewhere else, some day."""
    try:
        from resource import RLIMIT_DATA, getrlimit
    except ImportError:  # not on Windows
        yield
        return
    before = getrlimit(RLIMIT_DATA)
    yield
    assert getrlimit(RLIMIT_DATA) == before


@pytest.fixture(scope="session")
def counted(cache_folder: Path) -> Iterator[None]:
    """Networks of the zoo are counted once for the session: hundreds of them, and two modules want them all."""
    if find_spec("torch") is None:
        yield
        return
    from bench.models import counting

    count, folder = counting._count, cache_folder / "counts"
    folder.mkdir(exist_ok=True)

    def remembered(canonical: str, resolution: object) -> Counts:
        file = folder / sha256(f"{canonical} {resolution}".encode()).hexdigest()
        if not file.exists():
            found = count(canonical, resolution)
            draft = file.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps(asdict(found)))
            draft.rename(file)
        return Counts(**json.loads(file.read_text()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "_count", remembered)
        yield


def tiny_model(weights_seed: int = 0, *, batch: str | int = 1):
    """The conformance kit's network, its matrix operators 3x3, depthwise, 1x1 and a product; a text is a free axis."""
    from bench.backends.sample import model

    made = model(weights_seed)
    for value in (*made.graph.input, *made.graph.output):
        setattr(value.type.tensor_type.shape.dim[0], "dim_param" if isinstance(batch, str) else "dim_value", batch)
    return made


TINY_MACS = 16 * 64 * 27 + 16 * 64 * 9 + 18 * 64 * 16 + 10 * 18


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The tiny network as a file."""
    import onnx

    path = tmp_path / "tiny.onnx"
    onnx.save(tiny_model(), path)
    return examined(path)


def examined(path: Path) -> Path:
    """Put into the cache what reading the file would: equal bytes are read in a process once, wherever they lie."""
    from bench.artifact.artifact import made
    from bench.base import cache as kept
    from bench.export.key import key_of, recipe
    from bench.plan import zoo
    from bench.plan.case import Network

    found, reference = _examined(path.read_bytes())
    network = Network(zoo.resolve(str(path)))

    def copy(draft: Path) -> None:
        (draft / "reference.npz").write_bytes(reference)
        replace(found, model=network.model.canonical, onnx=os.path.abspath(path)).save(draft)

    made(kept.folder("artifacts") / key_of(recipe(network, 0)), copy)
    return path


@cache
def _examined(content: bytes) -> tuple[Artifact, bytes]:
    from bench.export import ensure
    from bench.plan import zoo
    from bench.plan.case import Network

    with TemporaryDirectory() as folder:
        (Path(folder) / "net.onnx").write_bytes(content)
        artifact = ensure(Network(zoo.resolve(f"{folder}/net.onnx")))
        return artifact, Path(artifact.folder, "reference.npz").read_bytes()


Bench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    found = Forks()
    yield found
    found.close()


@pytest.fixture
def bench(tmp_path: Path, forks: Forks) -> Bench:
    """Run the command as a process, in a folder of its own: forked, or started where it is to import other things."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        words, env = list(map(str, arguments)), os.environ | environment
        alike = {key: value for key, value in env.items() if key.startswith("PYTHON")} == PYTHON
        if alike and hasattr(os, "fork"):
            return forks.run(words, tmp_path, env)
        command = [sys.executable, "-m", "bench", *words]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)

    return run


def one_line_error(result: subprocess.CompletedProcess[str]) -> str:
    """Assert that the command failed the way a person can read, and return what it said."""
    assert result.returncode == 2, result  # 1 is an answer
    assert "Traceback" not in result.stderr
    said = [line for line in result.stderr.splitlines() if line.strip()]
    assert said[0].startswith("error: ")
    assert len(said) == 1 or (len(said) == 2 and said[1].startswith("hint: ")), result.stderr
    return result.stderr
