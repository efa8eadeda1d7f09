"""The one queue: what blocks, what is dropped, and what shutdown does to both ends."""

import threading

import pytest

from streamer.channel import Channel, ChannelClosed, ChannelEmpty, Policy


def test_items_come_out_in_the_order_they_went_in() -> None:
    channel: Channel[int] = Channel("c", capacity=3)
    for item in range(3):
        channel.put(item)
    channel.close()
    assert list(channel) == [0, 1, 2]


def test_block_waits_for_room_and_loses_nothing() -> None:
    channel: Channel[int] = Channel("c", capacity=2)

    def produce() -> None:
        for item in range(100):
            channel.put(item)
        channel.close()

    producer = threading.Thread(target=produce)
    producer.start()
    assert list(channel) == list(range(100))
    producer.join()
    assert channel.peak_depth <= 2
    assert channel.dropped == 0


def test_latest_discards_the_oldest_and_tells() -> None:
    dropped: list[int] = []
    channel: Channel[int] = Channel("c", capacity=2, policy=Policy.LATEST, on_drop=dropped.append)
    for item in range(5):
        channel.put(item)
    assert dropped == [0, 1, 2]
    assert channel.dropped == 3
    assert channel.peak_depth == 2
    channel.close()
    assert list(channel) == [3, 4]


def test_bytes_bound_the_channel_and_one_large_item_still_passes() -> None:
    channel: Channel[bytes] = Channel("c", capacity=9, policy=Policy.LATEST, size_of=len, max_bytes=10)
    channel.put(b"x" * 50)
    channel.put(b"1234")
    channel.put(b"123456")
    assert channel.depth == 2
    channel.put(b"!")
    assert [channel.get(), channel.get()] == [b"123456", b"!"]


def test_get_times_out_on_an_open_empty_channel() -> None:
    channel: Channel[int] = Channel("c", capacity=1)
    with pytest.raises(ChannelEmpty):
        channel.get(timeout_s=0)


def test_closed_delivers_what_waits_then_ends() -> None:
    channel: Channel[int] = Channel("c", capacity=2)
    channel.put(1)
    channel.close()
    channel.close()
    with pytest.raises(ChannelClosed):
        channel.put(2)
    assert channel.get() == 1
    with pytest.raises(ChannelClosed):
        channel.get()


def test_abort_discards_what_waits_and_counts_it() -> None:
    dropped: list[int] = []
    channel: Channel[int] = Channel("c", capacity=2, on_drop=dropped.append)
    channel.put(1)
    channel.put(2)
    channel.abort()
    channel.abort()
    assert dropped == [1, 2]
    with pytest.raises(ChannelClosed):
        channel.get()


@pytest.mark.parametrize("end", ["close", "abort"])
def test_ending_wakes_a_producer_that_waits_for_room(end: str) -> None:
    channel: Channel[int] = Channel("c", capacity=1)
    channel.put(1)
    outcome: list[str] = []
    entered = threading.Event()

    def produce() -> None:
        entered.set()
        try:
            channel.put(2)
        except ChannelClosed:
            outcome.append("told")

    producer = threading.Thread(target=produce)
    producer.start()
    entered.wait()
    getattr(channel, end)()
    producer.join()
    assert outcome == ["told"]


@pytest.mark.parametrize("end", ["close", "abort"])
def test_ending_wakes_a_consumer_that_waits_for_items(end: str) -> None:
    channel: Channel[int] = Channel("c", capacity=1)
    got: list[int] = []
    consumer = threading.Thread(target=lambda: got.extend(channel))
    consumer.start()
    getattr(channel, end)()
    consumer.join()
    assert got == []


def test_a_capacity_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Channel("c", capacity=0)
