"""Figures as papers print them, and counts of a network: when are the two the same?"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from bench.base.errors import clip
from bench.papers.tables import NUMBER

COUNTED = ("conv", "fc", "bn2")  # convolutions, matrix products, two operations per element out of a BatchNorm
MILLION = 1e6
PARAMS, MACS = "parameters", "multiply-adds"
OPEN = "open:"  # how a reason begins that is none
# The figure is not meant of this very network.
ELSEWHERE = ("nominal", "network of the early arXiv version", "parameters of the early arXiv version")
FACTORS = {"M": 1.0, "million": 1.0, "G": 1000.0}  # to millions; a bare whole number of many digits is a count
_FIGURE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?(?= (?:M|G|million))|\d{5,})(?: (M|G|million))?")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a network has and does for one image: parameters, and multiply-adds by kind of operator.

    ``params`` includes ``bn_params``, the scale and shift of every BatchNorm; ``macs_fc`` holds every matrix product;
    ``bn_elements`` is the number of elements that BatchNorms put out.
    """

    params: int
    bn_params: int
    macs_conv: int
    macs_fc: int
    bn_elements: int

    @property
    def macs(self) -> int:
        """Multiply-adds of convolutions and matrix products: what most papers call FLOPs."""
        return self.macs_conv + self.macs_fc


@dataclass(frozen=True, slots=True)
class Counting:
    """What a source counts, from the tokens of the column ``counting``.

    ``conv+fc``, ``conv`` or ``conv+fc+bn2`` name the operations; ``nobn`` leaves BatchNorm out of the parameters;
    ``round=X`` (millions) tells a printed place that is coarser than the digits of the multiply-adds, or of the
    parameters where no multiply-adds are printed.
    """

    terms: tuple[str, ...] = ()
    nobn: bool = False
    round_m: float | None = None

    def __str__(self) -> str:
        """The convention in the words of the column, without the printed place."""
        return " ".join(filter(None, ("+".join(self.terms), "nobn" if self.nobn else "")))

    def macs_m(self, counts: Counts) -> float:
        """Millions of operations as this source counts them."""
        parts = {"conv": counts.macs_conv, "fc": counts.macs_fc, "bn2": 2 * counts.bn_elements}
        return sum(parts[term] for term in self.terms) / MILLION

    def params_m(self, counts: Counts) -> float:
        """Millions of parameters as this source counts them."""
        return (counts.params - (counts.bn_params if self.nobn else 0)) / MILLION


@dataclass(frozen=True, slots=True)
class Printed:
    """A figure in millions: the text as printed, and half a unit of its last printed place."""

    text: str
    half_unit: float

    @property
    def value(self) -> float:
        """The number, in millions."""
        return float(self.text)

    def holds(self, counted_m: float) -> bool:
        """Tell whether a count rounds to this figure."""
        return abs(counted_m - self.value) <= self.half_unit * (1 + 1e-9)

    def cut(self, counted_m: float) -> bool:
        """Tell whether a count that is cut to the printed place, instead of rounded, is this figure."""
        unit = 2 * self.half_unit
        return math.isclose(math.floor(counted_m / unit + 1e-9) * unit, self.value, rel_tol=1e-9)

    def off(self, counted_m: float) -> float:
        """How far a count lies above this figure, as a fraction of it."""
        return counted_m / self.value - 1


def explains(reason: str, what: str, printed: Printed, counted_m: float) -> bool:
    """Tell whether a reason leads to the printed figure, or only says again that the count is another.

    It leads there when a figure in it (alone, or added to the count) gives what is printed, rounded or, if it says so,
    cut; or when it says that what is printed is not meant of this network.

    Args:
        reason: sentences, of which those about the other of `PARAMS` and `MACS` do not matter.
        what: `PARAMS` or `MACS`.
        printed: what the source prints.
        counted_m: what is counted here, in millions.
    """
    if reason.startswith(OPEN):
        return False
    mine, other = (re.compile(words) for words in (("parameters", "multiply-adds|MACs") if what == PARAMS else
                                                   ("multiply-adds|MACs", "parameters")))  # fmt: skip
    unit = 2 * printed.half_unit
    for clause in re.split(r";|(?<=[a-z])[.:] ", reason):
        if other.search(clause) and not mine.search(clause):
            continue
        if any(words in clause for words in ELSEWHERE):
            return True
        figures = [float(text) * FACTORS.get(mark, 1e-6) for text, mark in _FIGURE.findall(clause)]
        added = [counted_m + n for n in figures] if re.search("adds|also counts|includ", clause.lower()) else []
        if any(printed.holds(value) for value in (*figures, *added)):
            return True
        if "cut" in reason and any(printed.cut(n) for n in figures):
            return True
        if "rounded up" in clause and any(printed.cut(n + unit) for n in figures):
            return True
    return False


def parse_counting(text: str) -> Counting:
    """Read the tokens of the column ``counting``; ValueError says which of them means nothing."""
    terms: tuple[str, ...] = ()
    nobn = False
    round_m: float | None = None
    for token in text.split():
        key, equals, value = token.partition("=")
        parts = tuple(token.split("+"))
        if token == "nobn":
            nobn = True
        elif key == "round" and equals and NUMBER.fullmatch(value) and float(value) > 0:
            round_m = float(value)
        elif not terms and set(parts) <= set(COUNTED) and len(set(parts)) == len(parts):
            terms = parts
        else:
            raise ValueError(f"{clip(token)!r} in {clip(text)!r} is none of conv, conv+fc, conv+fc+bn2, nobn, round=X")
    return Counting(terms, nobn, round_m)


def rounding(text: str, counting: str = "") -> float:
    """Return half a unit of the last printed place of `text`; a token ``round=X`` overrides it.

    >>> rounding("5.4"), rounding("146"), rounding("3800", "conv+fc round=100")
    (0.05, 0.5, 50.0)
    """
    return half_unit(text, parse_counting(counting).round_m)


def half_unit(text: str, coarse_m: float | None) -> float:
    """Half a unit of the last printed place of `text`, or of a place in millions that is known to be coarser."""
    if coarse_m is not None:
        return coarse_m / 2
    _, _, decimals = text.partition(".")
    return float(f"5e-{len(decimals) + 1}")
