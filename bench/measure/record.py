"""A case on its way to a device: a JSON text of declared fields, and nothing that could name code or a path of ours.

The coordinator writes it, the device reads it and checks every field against what is offered: the backend must be
registered there, its options pass the backend's own checking, numbers lie within bounds, and the hash of the whole must
come out as the case's id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import bench
from bench import backends
from bench.base.errors import MissingExtra, ParameterError, UsageError, clip
from bench.plan.case import BackendRef, Case, Network, Settings
from bench.plan.grammar import options
from bench.plan.parameter import Value, read_all
from bench.plan.protocol import Protocol
from bench.plan.shapes import LONGEST_AXIS, Shapes
from bench.plan.spec import LIBRARIES
from bench.plan.zoo import ModelRef

FORMAT = 2
LONGEST_RECORD = 64 << 10
FIELDS = ("format", "isoflops", "run_id", "case_id", "bundle", "model", "backend", "network", "settings", "target",
          "protocol")  # fmt: skip
KINDS = ("zoo", "onnx", "python", *LIBRARIES)
DAY_S = 86400.0
HUGE = 1e12
WHOLE: dict[str, tuple[int, int]] = {
    "launches": (1, 1000),
    "max_launches": (1, 1000),
    "rounds": (1, 1000),
    "block_min_inferences": (1, 100_000),
    "warmup_min_inferences": (1, 100_000),
    "live": (1, 1000),
    "seed": (-(2**63), 2**63 - 1),
}
REAL: dict[str, tuple[float, float]] = {
    "tolerance": (1e-6, 1.0),
    "block_ms": (0.001, 60_000.0),
    "warmup_ms": (0.0, 600_000.0),
    "budget_s": (0.1, DAY_S),
    "timeout_s": (0.1, DAY_S),
}


@dataclass(frozen=True, slots=True)
class Order:
    """A case as a device reads it: what to measure, how, and with which bundle (the hash of its manifest)."""

    case: Case
    protocol: Protocol
    bundle: str
    run_id: str


def write(order: Order) -> str:
    """Return the record of a case that is for a device of the target that it names."""
    case = order.case
    return json.dumps(
        {
            "format": FORMAT,
            "isoflops": bench.__version__,
            "run_id": order.run_id,
            "case_id": case.id,
            "bundle": order.bundle,
            "model": {"kind": case.model.kind, "canonical": case.model.canonical, "resolution": case.resolution},
            "backend": {"name": case.backend.name, "options": {k: _text(v) for k, v in case.backend.options.items()}},
            "network": {f.name: getattr(case.network, f.name) for f in fields(Network) if f.name != "model"},
            "settings": asdict(case.settings),
            "target": case.target,
            "protocol": asdict(order.protocol),
        }
    )


def read(text: str) -> Order:
    """Read a record and check every field of it.

    Raises:
        ParameterError, UnknownName: a field is missing, unknown, of another type or outside its bounds.
        UsageError: it comes from another version of this program.
        MissingExtra: the backend's runtime is not installed here.
    """
    data = _parsed(text)
    _keys("the record", data, FIELDS)
    if (data["format"], data["isoflops"]) != (FORMAT, bench.__version__):
        raise UsageError(
            f"the case comes from isoflops {clip(str(data['isoflops']), 20)}, and this device has {bench.__version__}",
            "install the same version on both",
        )
    network, settings = _options("network", Network, data["network"]), _options("settings", Settings, data["settings"])
    try:
        case = Case(
            Network(_model(data["model"]), **network),
            _backend(data["backend"]),
            Settings(**settings),
            _name(data["target"]),
        )
    except ParameterError as error:
        raise _bad("the case", f"out of bounds ({error.message})") from error
    if case.id != data["case_id"]:
        raise _bad("case_id", "not the hash of the case")
    run_id = _match("run_id", data["run_id"], r"[0-9a-f]{1,32}")
    return Order(case, _protocol(data["protocol"]), _match("bundle", data["bundle"], r"[0-9a-f]{64}"), run_id)


def _parsed(text: Any) -> dict[str, Any]:
    if not isinstance(text, str) or len(text) > LONGEST_RECORD:
        raise _bad("the record", f"no text of at most {LONGEST_RECORD} characters")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad("the record", "no JSON") from None
    if not isinstance(data, dict):
        raise _bad("the record", "no JSON object")
    return data


def _model(data: Any) -> ModelRef:
    _keys("model", data, ("kind", "canonical", "resolution"))
    if data["kind"] not in KINDS:
        raise _bad("model.kind", f"none of {', '.join(KINDS)}")
    canonical = _match("model.canonical", data["canonical"], r"[^\x00-\x1f]{1,1000}")
    # No source and no hyper-parameters: the network comes as a bundle, and nothing is built here from a description.
    return ModelRef(data["kind"], canonical, "", {}, _maybe("model.resolution", data["resolution"], 1, 65_536))


def _backend(data: Any) -> BackendRef:
    _keys("backend", data, ("name", "options"))
    name = _match("backend.name", data["name"], r"[A-Za-z0-9_.-]{1,64}")
    backend = backends.get(name)
    given = data["options"]
    if not isinstance(given, dict) or not all(isinstance(v, str) and len(v) <= 1000 for v in given.values()):
        raise _bad("backend.options", "no object of texts")
    _keys("backend.options", given, backend.parameters)
    options = read_all(name, backend.parameters, given)
    if not backends.installed(backend):
        raise MissingExtra(f"the runtime of backend {name!r}", backend.extra)
    return BackendRef(name, options, {p.name: p.default for p in backend.parameters.values()})


def _options(where: str, part: type[Network | Settings], data: Any) -> dict[str, Any]:
    """Read the fields of a network or of settings, each of the type that the field has; they know their own bounds."""
    known = {option.name: option for option in options().values() if option.of_network is (part is Network)}
    _keys(where, data, known)
    found = {}
    for name, option in known.items():
        value = data[name]
        if option.kind in (int, float) and not (value is None and option.default is None):
            kinds: tuple[type, ...] = (int,) if option.kind is int else (int, float)
            if type(value) not in kinds or not -HUGE <= value <= HUGE:  # not a number is not between
                raise _bad(f"{where}.{name}", "no number" if option.kind is float else "no whole number")
            value = option.kind(value)
        elif option.kind is str:
            value = _match(f"{where}.{name}", value, r"[^\x00-\x1f]{0,1000}")
        found[name] = _shapes(value) if name == "shapes" else value
    return found


def _shapes(data: Any) -> Shapes:
    if not isinstance(data, list) or len(data) > 256:
        raise _bad("network.shapes", "no list of at most 256 shapes")
    shapes = []
    for pair in data:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], list) or len(pair[1]) > 16:
            raise _bad("network.shapes", "no list of pairs of name and dimensions")
        dims = tuple(_whole("network.shapes", side, 1, LONGEST_AXIS) for side in pair[1])
        shapes.append((_match("network.shapes", pair[0], r"[^\x00-\x1f]{1,1000}"), dims))
    return tuple(shapes)


def _protocol(data: Any) -> Protocol:
    _keys("protocol", data, [f.name for f in fields(Protocol)])
    whole = {key: _whole(f"protocol.{key}", data[key], *bounds) for key, bounds in WHOLE.items()}
    real = {key: _real(f"protocol.{key}", data[key], *bounds) for key, bounds in REAL.items()}
    return Protocol(**whole, **real)  # type: ignore[arg-type]


def _name(data: Any) -> str:
    return _match("target", data, r"[^\x00-\x1f]{1,200}")


def _keys(where: str, data: Any, names: Mapping[str, Any] | list[str] | tuple[str, ...]) -> None:
    if not isinstance(data, dict):
        raise _bad(where, "no object")
    if set(data) != set(names):
        odd = sorted(set(data) ^ set(names))
        raise _bad(where, f"not made of the declared fields ({clip(', '.join(map(str, odd)))})")


def _whole(where: str, value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise _bad(where, f"no whole number from {low} to {high}")
    return value


def _maybe(where: str, value: Any, low: int, high: int) -> int | None:
    return None if value is None else _whole(where, value, low, high)


def _real(where: str, value: Any, low: float, high: float) -> float:
    if type(value) not in (int, float) or not low <= value <= high:  # not a number is not between
        raise _bad(where, f"no number from {low:g} to {high:g}")
    return float(value)


def _match(where: str, value: Any, pattern: str) -> str:
    if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
        raise _bad(where, "not such a text")
    return value


def _bad(where: str, what: str) -> ParameterError:
    return ParameterError(f"the device refuses the case: {where} is {what}", "give the same isoflops to both sides")


def _text(value: Value) -> str:
    """Write an option so that reading it gives the same value; `show` rounds."""
    return str(value).lower() if isinstance(value, bool) else str(value)
