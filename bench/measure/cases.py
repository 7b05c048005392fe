"""From texts to cases: what a person writes of one, looked up and checked."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from bench import backends
from bench.backends import versions
from bench.base.errors import (
    ArtifactError,
    BenchError,
    MissingExtra,
    ParameterError,
    SpecError,
    UnknownName,
    Unsupported,
    UsageError,
    clip,
)
from bench.plan import given as data
from bench.plan import shapes, zoo
from bench.plan import target as targets
from bench.plan.case import BackendRef, Case, Network, Settings
from bench.plan.grammar import CaseText, Given, options, parse
from bench.plan.target import Target
from bench.rows.schema import Row


def case(text: str, backend: str = "onnxruntime", there: Target | None = None, **defaults: object) -> Case:
    """Read ``MODEL[@BACKEND][@key=value]...`` as a case on a target, on this machine if none is given.

    `backend` and `defaults` (fields of `Network` and `Settings`) are for what the text leaves open.

    Raises:
        UnknownName, SpecError, ParameterError, UsageError, MissingExtra: whatever its parts raise.
    """
    there = there or targets.resolve("local")
    told = parse(text, backends.names())
    told = CaseText(told.model, told.backend or backend, defaults | told.given)
    network = Network(zoo.resolve(told.model), **told.of(network=True))
    return Case(network, backend_of(told.backend, there), Settings(**told.of(network=False)), there.name)


def case_of_row(row: Row, there: Target, input: data.Given | None = None) -> Case:
    """Return the case that a row is of, on another target; `input` is the data that it was measured on, if any.

    A row tells the batch and resolution that ran, whether or not they were asked for; its `case_id` tells which.

    Raises:
        UnknownName, SpecError, ParameterError, ArtifactError, MissingExtra: its network, or its backend, is not here.
    """
    if (row.input or "") != str(input or ""):
        was = f"data whose hash is {clip(row.input)}" if row.input else "seeded noise"
        raise ArtifactError(
            f"it was measured on {was}", "give that data with --input" if row.input else "leave --input out"
        )
    given: Given = {option.name: getattr(row, option.name) for option in options().values()}
    given["input"] = input
    given["shapes"] = shapes.parse(row.shapes.split()) if row.shapes else None
    given = {name: value for name, value in given.items() if value is not None}
    model, backend = zoo.resolve(row.model), backend_of(row.backend, there)
    asked = [name for name in ("batch", "resolution") if name in given]
    found = []
    for left_out in itertools.chain.from_iterable(itertools.combinations(asked, n) for n in range(len(asked) + 1)):
        told = CaseText("", "", {name: value for name, value in given.items() if name not in left_out})
        network = Network(model, **told.of(network=True))
        found.append(Case(network, backend, Settings(**told.of(network=False)), there.name))
    same = (one for one in found if replace(one, target=row.target).id == row.case_id)
    return next(same, found[0])


def network_of(text: str, **defaults: object) -> Network:
    """Read ``MODEL[@key=value]...`` as a network, whatever would run it.

    Raises:
        SpecError: it names a backend or a setting, which have no meaning here.
        UnknownName, ParameterError, UsageError: whatever its parts raise.
    """
    told = parse(text, backends.names())
    if told.backend or told.of(network=False):
        raise SpecError(
            f"{clip(text)!r} says how the network is run, and nothing is run here",
            "write MODEL[@batch=N][@resolution=N][@shape=NAME=1x3x224x224][@input=DATA]",
        )
    given: Given = defaults | told.given
    return Network(zoo.resolve(told.model), **given)


def backend_of(spec: str, there: Target) -> BackendRef:
    """Look a backend up for a target. Its runtime must be there, which only this machine can be asked now.

    On this machine it gets the target's interpreter, unless it names its own, or another version of its runtime, which
    is installed now; elsewhere interpreters are the target's matter.

    Raises:
        UnknownName, ParameterError, SpecError, MissingExtra: the spec is wrong, or its runtime is not there.
        UsageError: the inputs that it is calibrated on cannot be read.
        Unsupported: its version is not to be had, or not on another machine.
    """
    here = there.reach == "local"
    ref = backends.resolve(spec, here=here and not there.python)
    if given := str(ref.options.get("calibration", "")):
        from bench.artifact import calibration  # with NumPy

        calibration.check(given)
    if ref.version and not here:
        raise Unsupported(
            f"{ref.canonical}: another version is installed on this machine alone, and {there.name} is another",
            "install it there, with `bench`, and name that interpreter as `python` of the target",
        )
    if ref.version:
        return versions.ensure(ref, _told)
    return replace(ref, python=there.python) if here and there.python and not ref.python else ref


def _told(line: str) -> None:
    """Tell whoever waits at a terminal why."""
    if sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)


def backends_of(
    specs: Sequence[str],
    there: Target,
    precisions: Sequence[str] = (),
    calibration: str = "",
    told: Callable[[str], None] = lambda line: None,
    lenient: Callable[[str], bool] | None = None,
) -> list[BackendRef]:
    """Look up backends for a target, each in every precision that is asked for.

    What is not there costs a line, which `told` hears: a precision that a backend does not have and, where `lenient`
    is given, a backend that it says is not installed on the target. If nothing is left that is the error.

    Args:
        specs: backends as a person writes them.
        there: the target.
        precisions: none leave each backend its own.
        calibration: an ``.npz`` of inputs that int8 is calibrated on; empty for seeded draws.
        told: hears a line for each that is left out.
        lenient: tells of a backend's name whether its runtime is on the target.

    Raises:
        UnknownName, ParameterError, SpecError, MissingExtra, UsageError: a spec is wrong, or nothing is left.
    """
    if calibration and "int8" not in precisions:
        raise UsageError("a calibration file is of int8, which is not asked for", "add --precision int8")
    found: list[BackendRef] = []
    without: BenchError | None = None
    for text in specs:
        try:
            plain = backend_of(text, there)
            if lenient is not None and not plain.python and not lenient(plain.name):
                raise MissingExtra(
                    f"the runtime of backend {plain.name!r}", hint=backends.get(plain.name).install_hint()
                )
        except MissingExtra as error:
            if lenient is None:
                raise
            without = error
            told(f"{text} is left out: {error.message} ({error.hint})")
            continue
        for precision in precisions:
            more = f",calibration={calibration}" if calibration and precision == "int8" else ""
            try:
                found.append(backend_of(f"{text}{',' if ':' in text else ':'}precision={precision}{more}", there))
            except (ParameterError, UnknownName) as error:
                without = error
                told(f"{text} is left out in {precision}: {error.message} ({error.hint})")
        found += [] if precisions else [plain]
    if without and not found:
        raise without
    return found


def canonical(text: str) -> CaseText:
    """Read a case's text for finding it among rows: specs with their defaults left out, as rows have them.

    A spec that is not known here stands as it is: rows come from elsewhere.
    """
    told = parse(text)
    model, backend = told.model, told.backend
    with suppress(BenchError):
        model = zoo.resolve(model).canonical
    with suppress(BenchError):
        backend = backends.resolve(backend, here=False).canonical
    return replace(told, model=model, backend=backend)
