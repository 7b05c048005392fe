"""The registry: a backend is whatever is named in the entry-point group ``bench.backends``.

Each is loaded alone and checked against the contract; one that is broken costs itself and nothing else.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from bench.artifact.artifact import Artifact
from bench.artifact.probe import Probe
from bench.backends.base import Backend, Options, Session
from bench.backends.checking import RESERVED, complaints
from bench.base.errors import BenchError, MissingExtra, ParameterError, UnknownName, Unsupported, clip, first_line
from bench.plan.case import BackendRef, Settings
from bench.plan.grammar import options as settings_of
from bench.plan.parameter import read_all
from bench.plan.protocol import THROUGHPUT
from bench.plan.spec import parse

OURS = "isoflops"
VERSION = r"[0-9][0-9A-Za-z]*(\.[0-9A-Za-z]+)*([+-][0-9A-Za-z.]+)?"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all registered backends, the scripted one (``fake``) and broken ones included."""
    return tuple(sorted({point.name for point in entry_points(group="bench.backends")}))


def get(name: str) -> Backend:
    """Return the backend called `name`. Its runtime is not imported by this.

    Raises:
        UnknownName: no backend has that name.
        BenchError: it is broken.
    """
    found = _load(name)
    if isinstance(found, BenchError):
        # A new one each time: an exception that is raised twice grows its traceback.
        raise type(found)(found.message, found.hint) from found.__cause__
    return found


def working() -> list[Backend]:
    """Return the backends that are not broken, whether or not their runtimes are installed."""
    found = [_load(name) for name in names()]
    return [backend for backend in found if isinstance(backend, Backend)]


def reason_broken(name: str) -> str:
    """Say in a line why a registered backend cannot be used; nothing if it can."""
    found = _load(name)
    return found.message if isinstance(found, BenchError) else ""


def installed(backend: Backend) -> bool:
    """Tell whether the backend's runtime can be imported by this interpreter, without importing it."""
    return all(_there(module) for module in backend.modules)


def resolve(text: str, here: bool = True) -> BackendRef:
    """Look a backend spec up and check its options.

    Its runtime must be installed, unless ``python=`` names another interpreter, ``version=`` another version
    (`bench.backends.versions` makes the interpreter that has it), or it is to run on another machine (`here` is false).

    Raises:
        UnknownName, ParameterError, SpecError: the spec is wrong.
        MissingExtra: the runtime is not installed.
    """
    settings = settings_of()
    spec = parse(text)
    backend = get(spec.name)
    given = dict(spec.params)
    python, version = given.pop("python", ""), given.pop("version", "")
    for key in given:
        if key in settings and key not in backend.parameters:
            raise UnknownName(
                f"parameter of {spec.name}",
                key,
                (),
                hint=f"it is no option of a backend: write @{key}={clip(given[key])}",
            )
    options = read_all(spec.name, backend.parameters, given, reserved(backend))
    if version:
        _check_version(backend, version, python)
    elif here and not python:
        require(backend)
    defaults = {p.name: p.default for p in backend.parameters.values()}
    return BackendRef(spec.name, options, defaults, python, version)


def reserved(backend: Backend) -> dict[str, str]:
    """Return what may be written after a backend's colon besides options of its own, and what each means."""
    meaning = {"python": "the path of an interpreter that has the runtime", "version": "another one of the runtime"}
    return {name: meaning[name] for name in RESERVED if name != "version" or backend.wheel}


def _check_version(backend: Backend, version: str, python: str) -> None:
    """Refuse what is no version, and a backend that has none to choose."""
    if re.fullmatch(VERSION, version) is None:
        raise ParameterError(f"{backend.name}: version={clip(version)} is no version", "e.g. version=1.22.1")
    if python:
        raise ParameterError(f"{backend.name}: version= and python= each name an interpreter", "keep one of the two")
    if not backend.wheel:
        raise ParameterError(
            f"{backend.name} takes no version=: its runtime is more than one wheel",
            "install that version and `bench` in an environment, and name it by python=",
        )


def require(backend: Backend) -> None:
    """Raise MissingExtra, with the line that installs it, if the backend's runtime is not installed here."""
    if not installed(backend):
        raise MissingExtra(f"the runtime of backend {backend.name!r}", hint=backend.install_hint())


def refuse(backend: Backend, artifact: Artifact) -> None:
    """Raise Unsupported if the backend needs a part of the artifact that it does not have."""
    if backend.capabilities.takes == "module" and artifact.kind == "onnx":
        others = [b.name for b in working() if b.capabilities.takes == "onnx" and not b.capabilities.scripted]
        raise Unsupported(f"the {backend.name} backend cannot run an ONNX file", f"use --backend {' or '.join(others)}")


def session(backend: Backend, artifact: Artifact, settings: Settings, options: Options) -> Session:
    """Load an artifact, and make sure that what came is a session.

    Raises:
        Unsupported: the backend cannot run it, or returned something else.
    """
    if isinstance(artifact, Probe):
        found = backend.load_probe(artifact, settings, options)
    else:
        refuse(backend, artifact)
        if settings.mode == THROUGHPUT and not backend.capabilities.streams:
            raise Unsupported(f"the {backend.name} backend runs one inference at a time", "leave mode=throughput out")
        if settings.mode == THROUGHPUT and backend.accelerated(options):
            raise Unsupported(
                f"the {backend.name} backend runs one inference at a time on its device", "leave mode=throughput out"
            )
        found = backend.load(artifact, settings, options)
    if not isinstance(found, Session) or not callable(getattr(found, "infer", None)):
        raise Unsupported(
            f"the backend {backend.name!r} is broken: load() returned a {type(found).__name__}, no Session with infer",
            f"python -m bench.backends.testing {backend.name} tells more",
        )
    return found


@cache
def _load(name: str) -> Backend | BenchError:
    points = [point for point in entry_points(group="bench.backends") if point.name == name]
    if not points:
        raise UnknownName("backend", name, names(), "bench list backends")
    ours = [point for point in points if _provider(point) == OURS]
    hint = "`bench list backends` says which work"
    if len(points) > 1 and not ours:
        providers = " and ".join(sorted(_provider(point) for point in points))
        return BenchError(f"the backend {name!r} is broken: {providers} both name one so", "uninstall one of them")
    point = (ours or points)[0]
    what = f"the backend {name!r} of {_provider(point)} is broken"
    try:
        backend = point.load()()
        wrong = complaints(backend, name)
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything
        broken = BenchError(f"{what}: {type(error).__name__}: {first_line(error)}", hint)
        broken.__cause__ = error
        return broken
    if wrong:
        return BenchError(f"{what}: {'; '.join(wrong)}", hint)
    found: Backend = backend
    return found


def _provider(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown package"


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # the package that it should be in is not there, or is half there
        return False
