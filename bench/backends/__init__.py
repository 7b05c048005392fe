"""The registry: a backend is whatever is named in the entry-point group ``bench.backends``."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec

from bench.backends.base import Backend
from bench.base.errors import BenchError, MissingExtra, UnknownName
from bench.plan.case import BackendRef
from bench.plan.parameter import read_all
from bench.plan.spec import parse


@cache
def names() -> tuple[str, ...]:
    """Return the names of all registered backends, the scripted one (``fake``) included."""
    return tuple(sorted({point.name for point in entry_points(group="bench.backends")}))


@cache
def get(name: str) -> Backend:
    """Return the backend called `name`. Its runtime is not imported by this.

    Raises:
        UnknownName: no backend has that name.
    """
    for point in entry_points(group="bench.backends"):
        if point.name == name:
            try:
                backend: Backend = point.load()()
            except ImportError as error:
                raise BenchError(
                    f"the backend {name!r} cannot be loaded: {error}", f"reinstall the package that provides {name}"
                ) from error
            return backend
    raise UnknownName("backend", name, names(), "bench list backends")


def installed(backend: Backend) -> bool:
    """Tell whether the backend's runtime can be imported by this interpreter, without importing it."""
    return all(find_spec(module) is not None for module in backend.modules)


def resolve(text: str, here: bool = True) -> BackendRef:
    """Look a backend spec up and check its options.

    Its runtime must be installed, unless ``python=`` names another interpreter or it is to run on another machine
    (`here` is false).

    Raises:
        UnknownName, ParameterError, SpecError: the spec is wrong.
        MissingExtra: the runtime is not installed.
    """
    spec = parse(text)
    backend = get(spec.name)
    given = dict(spec.params)
    python = given.pop("python", "")
    options = read_all(spec.name, backend.parameters, given)
    if here and not python and not installed(backend):
        raise MissingExtra(f"the runtime of backend {spec.name!r}", backend.extra)
    defaults = {p.name: p.default for p in backend.parameters.values()}
    return BackendRef(spec.name, options, defaults, python)
