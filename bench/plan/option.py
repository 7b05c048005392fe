"""A field of `bench.plan.case.Network` or `Settings` that a person may set: all there is to say of it, said once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from bench.base.errors import ParameterError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def option(
    default: T,
    *range: float,
    hint: str = "",
    key: str = "",
    read: Callable[[str], T] | None = None,
    show: Callable[[T], str] | None = None,
) -> T:
    """Declare a field.

    Args:
        default: the value where nothing is asked for.
        range: its least and its largest value; none where any will do.
        hint: what to do where a value is out of bounds.
        key: its name in a case's text; else that of the field.
        read: makes a value of a text; else the field's type does.
        show: writes a value into the name of a case; else ``field=value``.
    """
    return field(default=default, metadata={"range": range, "hint": hint, "key": key, "read": read, "show": show})


def key_of(one: Field[Any]) -> str:
    """Return the name of a field in a case's text."""
    return one.metadata.get("key") or one.name


def check(part: DataclassInstance) -> None:
    """Refuse a field that is out of its bounds.

    Raises:
        ParameterError: one is.
    """
    for one in fields(part):
        value, bounds = getattr(part, one.name), one.metadata.get("range")
        if bounds and value is not None and not bounds[0] <= value <= bounds[1]:
            raise ParameterError(
                f"{key_of(one)} {value} is not a number from {bounds[0]:g} to {bounds[1]:g}", one.metadata["hint"]
            )
