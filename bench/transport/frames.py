"""What goes over the line to an outpost: one line of JSON, the header, and as many bytes as its ``bytes`` says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

# One for both ends: raise it when a frame changes its meaning. Ends of two kinds refuse to work together.
PROTOCOL = 1

Frame = tuple[dict[str, Any], bytes]


def encode(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return the bytes of one frame."""
    whole = header | {"bytes": len(payload)} if payload else header
    return json.dumps(whole, separators=(",", ":")).encode() + b"\n" + payload


class Decoder:
    """Takes bytes as they come, gives frames as they are whole."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that `data` completes; ValueError where it is no frame at all."""
        self._held += data
        while (end := self._held.find(b"\n")) >= 0:
            header = json.loads(self._held[:end])
            if not isinstance(header, dict):
                raise ValueError("no frame")
            whole = end + 1 + int(header.get("bytes", 0))
            if len(self._held) < whole:
                return
            payload = bytes(self._held[end + 1 : whole])
            del self._held[:whole]
            yield header, payload
