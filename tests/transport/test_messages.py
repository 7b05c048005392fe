"""Messages survive any cutting of the stream and any greeting before it; what is none is quoted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.base.errors import WorkerCrashed
from bench.base.wire import MARK
from bench.transport.messages import MESSAGES, REQUESTS, Decoder, Ended, Hello, Put, Start, Tell, Wrote, encode

text = st.text()
asked = st.lists(
    st.tuples(
        st.builds(Hello)
        | st.builds(Put, text, text, st.integers(0, 2**40))
        | st.builds(Start, st.integers(0, 9), text, text, st.dictionaries(text, text), st.floats(0, 1e6))
        | st.builds(Tell, st.integers(0, 9)),
        st.binary(),
    )
)
told = st.lists(
    st.tuples(
        st.builds(Wrote, st.integers(0, 9))
        | st.builds(Ended, st.integers(0, 9), st.integers(-64, 255), text, st.booleans()),
        st.binary(),
    )
)


def cut(stream: bytes, piece: int) -> list[bytes]:
    return [stream[at : at + piece] for at in range(0, len(stream), piece)]


@given(asked, st.integers(1, 50))
def test_messages_survive_any_cutting_of_the_stream(sent: list, piece: int) -> None:
    decoder = Decoder(REQUESTS)
    stream = b"".join(encode(header, payload) for header, payload in sent)
    assert [got for part in cut(stream, piece) for got in decoder.feed(part)] == sent


@given(told, st.binary().filter(lambda noise: MARK not in noise), st.integers(1, 50))
def test_what_a_shell_says_first_is_ignored(sent: list, noise: bytes, piece: int) -> None:
    decoder = Decoder(MESSAGES, marked=True)
    stream = noise + MARK + b"".join(encode(header, payload) for header, payload in sent)
    assert [got for part in cut(stream, piece) for got in decoder.feed(part)] == sent


@pytest.mark.parametrize(
    "noise", [b"Last login: today\n", b"0 [1]\n", b"0 {}\n", b'-1 {"do":"hello"}\n', b'0 {"do":"put"}\n', b"\xff\n"]
)
def test_what_is_no_message_is_quoted(noise: bytes) -> None:
    with pytest.raises(WorkerCrashed, match="no answer of isoflops") as caught:
        list(Decoder(REQUESTS).feed(noise))
    assert noise.decode(errors="replace").strip().replace("\ufffd", "") in caught.value.message
