"""Mutations that know nothing of what they change: of texts, bytes and JSON values."""

from __future__ import annotations

import json
import random
from typing import Any

# What numbers, names and cells have broken elsewhere: formulas, escapes, ends of ranges, other alphabets.
TEXTS = (
    "", " ", "0", "-0", "-1", "1e308", "1e400", "nan", "inf", "-inf", "NaN", "None", "null", "true", "0x10", "1_000",
    "١٢",
    "224.0", "1,5", "2**64", "9" * 400, "=1+1", "@x", "'", '"', "\\", "\n", "\r\n", "\t", "\0", "\x1b[31m", "\u202e",
    "\ufeff",
    "\ud83d\ude00", "é" * 300, "a" * 70000, "../../../x", "/dev/null", "/dev/zero/x", "%s%n", "{}", "{0}", "$(id)",
    "`id`",
    "<script>", "|", ";", ",", ",,,,", "=", "@", ":", ":::", "#", "[", "[" * 3000, "]]", "}", "--", "--help", "-",
    "*", "?",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2, 7, 255, 256, 65536, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30)
VALUES = (None, True, False, "", "x", [], {}, [[]], {"": 0}, 0.5, -1.5, 1e300, float("nan"), float("inf"), *NUMBERS)


def text(rng: random.Random, one: str) -> str:
    """Change a text in one to three places."""
    for _ in range(rng.randint(1, 3)):
        at, to = sorted((rng.randint(0, len(one)), rng.randint(0, len(one))))
        match rng.randrange(7):
            case 0:
                one = one[:at] + rng.choice(TEXTS) + one[at:]
            case 1:
                one = one[:at] + rng.choice(TEXTS) + one[to:]
            case 2:
                one = one[:at] + one[to:]
            case 3:
                one = one[:to] + one[at:to] * rng.randint(1, 4) + one[to:]
            case 4:
                one = one[:at]
            case 5:
                one = one[:at] + chr(rng.choice((0, 9, 10, 13, 27, 0x7F, 0xE9, 0x2028, 0x10FFFF))) + one[at:]
            case _:
                one = one[:at] + one[at:to].swapcase() + one[to:]
    return one[:200_000]


def octets(rng: random.Random, one: bytes) -> bytes:
    """Change bytes in one to four places."""
    found = bytearray(one)
    for _ in range(rng.randint(1, 4)):
        at, to = sorted((rng.randint(0, len(found)), rng.randint(0, len(found))))
        match rng.randrange(5):
            case 0 if found:
                found[rng.randrange(len(found))] = rng.randrange(256)
            case 1:
                del found[at:to]
            case 2:
                found[at:at] = bytes(found[at:to])
            case 3:
                found[at:at] = rng.randbytes(rng.randint(1, 16))
            case _:
                del found[at:]
    return bytes(found[:400_000])


def value(rng: random.Random, one: Any) -> Any:
    """Change one place of a JSON value: another value there, a key gone, renamed or more."""
    if not isinstance(one, (dict, list)) or not one or rng.random() < 0.15:
        return rng.choice((*VALUES, *TEXTS[:20]))
    if isinstance(one, list):
        at = rng.randrange(len(one))
        change = rng.randrange(4)
        if change == 0:
            return [*one[:at], *one[at + 1 :]]
        if change == 1:
            return [*one, one[at]]
        return [*one[:at], value(rng, one[at]), *one[at + 1 :]]
    key = rng.choice(list(one))
    change = rng.randrange(6)
    if change == 0:
        return {k: v for k, v in one.items() if k != key}
    if change == 1:
        return one | {rng.choice(TEXTS[:40]): one[key]}
    return one | {key: value(rng, one[key])}


def dump(one: Any) -> str:
    """Write a JSON value, numbers that JSON does not have among them."""
    return json.dumps(one, allow_nan=True)
