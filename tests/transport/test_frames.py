from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.transport.frames import Decoder, encode

frames = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(["do", "id", "x"]), st.text() | st.integers()), st.binary())
)


@given(frames, st.integers(1, 50))
def test_frames_survive_any_cutting_of_the_stream(sent: list, piece: int) -> None:
    stream = b"".join(encode(header, payload) for header, payload in sent)
    decoder = Decoder()
    got = [f for at in range(0, len(stream), piece) for f in decoder.feed(stream[at : at + piece])]
    assert [({k: v for k, v in header.items() if k != "bytes"}, payload) for header, payload in got] == sent


@pytest.mark.parametrize("noise", [b"Last login: today\n", b"[1]\n"])
def test_what_is_no_frame_is_told(noise: bytes) -> None:
    with pytest.raises(ValueError):
        list(Decoder().feed(noise))
