"""The grammar of specs: ``NAME[:key=value,...]``.

A model and a backend are named in the same way::

    shufflenetv2:width=0.5          a network of the zoo
    net.onnx                        an ONNX file
    net.py:factory:depth=3          a function in a Python file that returns an nn.Module
    timm:convnext_tiny              a network of another library
    openvino:precision=bf16         a backend
    openvino:python=/a,b/python     a path may hold a comma and an equals sign

Nothing is looked up here; who knows the names (`bench.plan.zoo`, `bench.backends`) checks them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.base.errors import SpecError, clip

LIBRARIES = ("timm", "torchvision")
PATHS = ("python", "identity_file", "config", "folder", "calibration")  # keys whose value is a path


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed spec: `name`, and `params` as written, in order, values still text."""

    name: str
    params: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.params:
            return self.name
        return f"{self.name}:{','.join(f'{k}={v}' for k, v in self.params.items())}"


def any_precision(backend: str) -> str:
    """Leave out of a backend's spec what says in which precision it runs."""
    spec = parse(backend)
    return str(Spec(spec.name, {k: v for k, v in spec.params.items() if k not in ("precision", "calibration")}))


def parse(text: str) -> Spec:
    """Parse ``NAME[:key=value,...]``.

    A path to an ONNX or Python file and ``library:NAME`` keep their colon in the name.

    Raises:
        SpecError: the text is empty, a key is repeated, or a part is not ``key=value``.
    """
    text = text.strip()
    name, rest = _split_name(text)
    if not name:
        raise SpecError(f"{clip(text)!r} names nothing", "write NAME or NAME:key=value,key=value")
    params: dict[str, str] = {}
    for part in parts(rest):
        key, equals, value = (s.strip() for s in part.partition("="))
        if not (key and equals and value):
            raise SpecError(f"{clip(part)!r} in {clip(text)!r} is not key=value", "write NAME:key=value,key=value")
        if key in params:
            raise SpecError(f"{clip(text)!r} gives {clip(key)!r} twice", "keep one of the two")
        params[key] = value
    return Spec(name, params)


def parts(text: str) -> list[str]:
    """Split ``key=value,key=value`` at its commas; after a key of `PATHS` only where another key begins.

    There ``,key=`` begins one if it is of `PATHS`, too, or its value is no piece of a path: python=/a,b=c/python.
    """
    found: list[str] = []
    for part in text.split(",") if text else ():
        in_path = found and found[-1].partition("=")[0].strip() in PATHS
        key, equals, value = part.partition("=")
        begins = equals and (key.strip() in PATHS or (key.strip().isidentifier() and "/" not in value))
        if in_path and not begins:
            found[-1] += f",{part}"
        else:
            found.append(part)
    return found


def _split_name(text: str) -> tuple[str, str]:
    if text.endswith(".onnx"):
        return text, ""
    head, colon, rest = text.partition(":")
    if head in LIBRARIES and colon:
        name, _, rest = rest.partition(":")
        return f"{head}:{name}", rest
    if ".py:" in text:
        path, _, rest = text.partition(".py:")
        factory, _, rest = rest.partition(":")
        return f"{path}.py:{factory}", rest
    if colon and not rest:
        raise SpecError(f"{clip(text)!r} ends with a colon", "write NAME:key=value,key=value, or NAME alone")
    return head, rest
