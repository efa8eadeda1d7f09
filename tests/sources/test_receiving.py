"""Packets of a container that is made up, with a clock that moves as they are read: when there are no more, and why."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from streamer.clock import FakeClock
from streamer.errors import SourceError, SourceLost
from streamer.pyav import InputContainer, Packet, av
from streamer.sources.address import parse_address
from streamer.sources.receiving import Receiver
from streamer.sources.ways import Way


def _receiver(
    packets: Callable[[FakeClock], Iterator[Packet]], uri: str, *, size: int = 0, known: SourceError | None = None
) -> Receiver:
    clock = FakeClock()
    container = SimpleNamespace(demux=lambda: packets(clock), size=size, format=SimpleNamespace(name="mpegts"))
    way = SimpleNamespace(reason=lambda _: known, why_ended=lambda: known)
    address = parse_address(uri)
    return Receiver(cast("InputContainer", container), address, cast("Way", way), patience_s=5.0, clock=clock)


def _fails(error: Exception) -> Callable[[FakeClock], Iterator[Packet]]:
    def packets(clock: FakeClock) -> Iterator[Packet]:
        clock.advance(0.04)
        yield Packet(b"1")
        raise error

    return packets


def test_what_the_parser_held_when_the_time_was_over_does_not_make_it_wait_as_long_again() -> None:
    def packets(clock: FakeClock) -> Iterator[Packet]:
        clock.advance(0.04)
        yield Packet(b"1")
        clock.advance(5.0)
        yield Packet(b"held")
        raise AssertionError("it was read on")

    receiver = _receiver(packets, "rtsp://127.0.0.1:5/live")
    assert receiver.next() is not None
    assert receiver.lost is None
    assert receiver.next() is None
    assert str(receiver.lost) == "rtsp://127.0.0.1:5/live: nothing came for 5 s (--read-timeout)"


@pytest.mark.parametrize(
    ("uri", "size", "lost"),
    [
        ("http://127.0.0.1:5/a.mkv", -38, None),
        ("http://127.0.0.1:5/a.mkv", 5000, "the connection broke off"),
        ("tcp://127.0.0.1:5", 0, "the connection broke off"),
    ],
)
def test_over_http_without_a_length_the_end_of_the_connection_is_the_end(uri: str, size: int, lost: str | None) -> None:
    receiver = _receiver(_fails(av.OSError(5, "Input/output error")), uri, size=size)
    assert receiver.next() is not None
    assert receiver.next() is None
    assert (receiver.lost and receiver.lost.what) == lost


def test_a_form_that_is_not_kept_is_told_in_words_of_people() -> None:
    receiver = _receiver(_fails(av.InvalidDataError(1, "Invalid data found")), "http://127.0.0.1:5/video")
    assert receiver.next() is not None
    assert receiver.next() is None
    assert receiver.lost is not None
    assert receiver.lost.what == "what it sends is not in the form that it was"


@pytest.mark.parametrize("ends", [av.error.OSError(5, "Input/output error"), None])
def test_what_the_way_knows_of_the_end_is_what_is_said(ends: Exception | None) -> None:
    known = SourceLost("the program that receives it ended", where="it")

    def packets(clock: FakeClock) -> Iterator[Packet]:
        clock.advance(0.04)
        yield Packet(b"1")
        if ends is not None:
            raise ends

    receiver = _receiver(packets, "http://127.0.0.1:5/a.mkv", known=known)
    assert receiver.next() is not None
    assert receiver.next() is None
    assert receiver.lost is not None
    assert receiver.lost.what == known.what
