"""What the zoo offers, read from its cards without importing PyTorch.

Each family is two files in ``models/``: ``NAME.py`` builds it, ``NAME.toml`` is its card (paper, hyper-parameters,
their defaults and ranges). A card is data so that a device without PyTorch can list, check and name models.
"""

from __future__ import annotations

import ast
import os
import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from bench.base.errors import ArtifactError, BenchError, ParameterError, SpecError, UnknownName, clip
from bench.plan.parameter import Parameter, Value, show
from bench.plan.spec import LIBRARIES, Spec, parse

DEFAULT_RESOLUTION = 224
# What a spec may begin with besides a name of the zoo: modules of `models/` that no card names, with their resolution
# and what they build.
SOURCES = {
    "stack": ("stacks", 56, ("g1", "conv", "series", "parallel", "unit", "ghost")),
    "variant": ("variants", DEFAULT_RESOLUTION, ("mobilenetv3-large", "pplcnet-shortcut")),
}


@dataclass(frozen=True, slots=True)
class Card:
    """What a family's ``NAME.toml`` says: source, hyper-parameters, default resolution, short names, notes."""

    family: str
    title: str
    paper: str
    year: int
    url: str
    parameters: dict[str, Parameter]
    resolution: int = DEFAULT_RESOLUTION
    aliases: dict[str, dict[str, Value]] = field(default_factory=dict)
    resolutions: dict[str, int] = field(default_factory=dict)  # of the aliases that have one of their own
    published: tuple[str, ...] = ()
    notes: str = ""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model that was looked up and checked.

    `kind` is ``zoo``, ``onnx``, ``python`` or a library's name; `canonical` names equal models equally (defaults
    are left out, the order is the card's); `params` are complete and typed; `resolution` is None where the model
    itself fixes its input shape, and `asked` where its spec says it: ``shufflenetv2:resolution=128``.
    """

    kind: str
    canonical: str
    source: str
    params: dict[str, Value]
    resolution: int | None
    asked: bool = field(default=False, compare=False)


@cache
def cards() -> dict[str, Card]:
    """Return every family's card, by name, in alphabetical order."""
    folder = files("bench.models")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return {name[:-5]: _read_card(name[:-5], folder.joinpath(name).read_text("utf-8")) for name in names}


def names() -> dict[str, str]:
    """Return every name a model spec may begin with (families and their aliases), and the family it stands for."""
    found = {family: family for family in cards()}
    for card in cards().values():
        found |= dict.fromkeys(card.aliases, card.family)
    return dict(sorted(found.items()))


def resolve(text: str) -> ModelRef:
    """Look a model spec up and check its hyper-parameters; nothing is built or imported.

    Besides what a person brings and the zoo there are the networks of findings, ``stack/NAME:key=value,...``
    (``models/stacks.py``) and ``variant/NAME:...`` (``models/variants.py``).

    Raises:
        UnknownName, ParameterError, SpecError: the spec is wrong.
        ArtifactError: the file it names is not there.
    """
    spec = parse(text)
    if spec.name.endswith(".onnx"):
        return ModelRef("onnx", os.path.normpath(_existing(spec.name)), spec.name, {}, None)
    library, colon, rest = spec.name.partition(":")
    if colon and library in LIBRARIES:
        if not rest:
            raise SpecError(f"{clip(text)!r} names no network", f"write {library}:NAME")
        return ModelRef(library, str(spec), rest, dict(spec.params), None)
    if ".py:" in spec.name:
        path, _, factory = spec.name.rpartition(":")
        if not factory.isidentifier():
            raise SpecError(f"{clip(text)!r} names no function", "write file.py:function")
        shown = replace(spec, name=f"{os.path.normpath(_existing(path))}:{factory}")
        return ModelRef("python", str(shown), spec.name, dict(spec.params), None)
    if spec.name.endswith(".py"):
        raise SpecError(
            f"{clip(text)!r} names no function", f"write {clip(spec.name)}:FUNCTION, which returns the network"
        )
    head, slash, rest = text.strip().partition("/")
    if slash and head in SOURCES:
        return _resolve_block(text.strip(), head, rest)
    return _resolve_zoo(spec)


def _resolve_block(text: str, head: str, rest: str) -> ModelRef:
    module, resolution, known = SOURCES[head]
    spec = parse(rest)
    if spec.name not in known:
        raise UnknownName(head, spec.name, known)
    params: dict[str, Value] = {head: spec.name}
    params |= {key: _literal(value) for key, value in spec.params.items()}
    return ModelRef("zoo", text, module, params, resolution)


def _resolve_zoo(spec: Spec) -> ModelRef:
    known = names()
    if spec.name not in known:
        raise UnknownName("model", spec.name, known, "bench list models")
    card = cards()[known[spec.name]]
    params: dict[str, Value] = {p.name: p.default for p in card.parameters.values()}
    params |= card.aliases.get(spec.name, {})
    for key, text in spec.params.items():
        if key == "resolution":
            continue
        if key not in card.parameters:
            raise UnknownName(f"hyper-parameter of {spec.name}", key, [*card.parameters, "resolution"])
        else:
            params[key] = card.parameters[key].read(text, spec.name)
    canonical = canonical_name(card, params)
    resolution = card.resolutions.get(canonical, card.resolution)
    if "resolution" in spec.params:
        resolution = _resolution(spec.params["resolution"], card.family, resolution)
    return ModelRef("zoo", canonical, card.family, params, resolution, "resolution" in spec.params)


@cache
def canonical(text: str) -> str:
    """Return the one name of a network of the zoo, whatever alias `text` has for it; any other text as it is."""
    try:
        spec = parse(text)
        return _resolve_zoo(spec).canonical if spec.name in names() else text
    except BenchError:
        return text


def canonical_name(card: Card, params: dict[str, Value]) -> str:
    """Name a variant: the alias that says it whole, or the family and what differs from its defaults."""
    for alias, preset in card.aliases.items():
        if params == {p.name: p.default for p in card.parameters.values()} | preset:
            return alias
    changed = [f"{k}={show(v)}" for k, v in params.items() if v != card.parameters[k].default]
    return f"{card.family}:{','.join(changed)}" if changed else card.family


def _resolution(text: str, family: str, default: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 8 <= value <= 4096:
        raise ParameterError(
            f"{family}: resolution={clip(text)} is not a number of pixels",
            f"resolution lies between 8 and 4096; the paper's is {default}",
        )
    return value


def _existing(path: str) -> str:
    if os.path.isdir(path):  # unlike Path's, also of a text that no path can be
        raise ArtifactError(f"{clip(path)} is a folder, not a file", "name the model file that is in it")
    if not os.path.isfile(path):
        raise ArtifactError(f"there is no file {clip(path)}", "check the path; a zoo name has no ending")
    return path


def spellings(ref: ModelRef) -> tuple[ModelRef, ...]:
    """Return a model under the names that it may have had: a file by its path from the root, and from here."""
    if ref.kind not in ("onnx", "python"):
        return (ref,)
    head, mark, rest = ref.canonical.rpartition(".py:") if ref.kind == "python" else (ref.canonical, "", "")
    paths = os.path.abspath(head + mark[:-1]), os.path.relpath(head + mark[:-1])
    return tuple(replace(ref, canonical=path + mark[-1:] + rest) for path in paths)


def _read_card(family: str, text: str) -> Card:
    data = tomllib.loads(text)
    parameters = {}
    for name, row in data.pop("parameters", {}).items():
        low_high = row.pop("range", None)
        parameters[name] = Parameter(
            name=name,
            choices=tuple(row.pop("choices", ())),
            range=(low_high[0], low_high[1]) if low_high else None,
            **row,
        )
    published = tuple(data.pop("published", ()))
    aliases = data.pop("aliases", {})
    resolutions = {alias: preset.pop("resolution") for alias, preset in aliases.items() if "resolution" in preset}
    return Card(
        family=family, parameters=parameters, published=published, aliases=aliases, resolutions=resolutions, **data
    )


def _literal(text: str) -> Value:
    try:
        value: Value = ast.literal_eval(text.capitalize() if text in ("true", "false") else text)
    except (ValueError, SyntaxError):
        return text
    return value
