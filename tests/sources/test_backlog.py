"""Which packets are left out: only while reading on does not make up for it, whatever the clocks say."""

from collections.abc import Iterable

from streamer.sources.backlog import Backlog


def _decoded(reads: Iterable[tuple[int, int, int]]) -> list[int]:
    """Which packets are decoded, a key frame each 12, of reads that waited and returned so, and their own time."""
    backlog = Backlog()
    decoded = []
    for number, (waited_ns, now_ns, media_ns) in enumerate(reads):
        backlog.read(waited_ns=waited_ns, now_ns=now_ns, media_ns=media_ns)
        if backlog.wants(is_key=number % 12 == 0, now_ns=now_ns):
            decoded.append(number)
    return decoded


MS = 1_000_000


def test_pictures_are_left_out_only_while_no_read_has_to_wait() -> None:
    # a read each 10 ms; from 100 to 250 nothing has to be waited for
    decoded = _decoded((MS // 10 if 100 <= n < 250 else 9 * MS, 10 * n * MS, 10 * n * MS) for n in range(400))
    skipped = sorted(set(range(400)) - set(decoded))
    assert skipped[0] == 201
    assert {number for number in decoded if 201 <= number < 250} <= set(range(0, 400, 12))
    assert 1 <= sum(201 <= number < 250 for number in decoded) <= 3
    assert skipped[-1] == 251
    assert decoded[-148:] == list(range(252, 400))


def test_a_picture_that_grows_old_is_noticed_also_where_a_busy_python_looks_like_a_wait() -> None:
    # 25 fps that take 50 ms each to decode: every read takes 3 ms, and the stream is 10 ms later each time
    decoded = _decoded((3 * MS, 50 * n * MS, 40 * n * MS) for n in range(300))
    assert decoded[:122] == list(range(122))
    assert all(number % 12 == 0 for number in decoded if number > 122)


def test_a_server_that_paused_is_not_behind_for_ever() -> None:
    # it stands still for 3 s, and goes on at its own speed
    decoded = _decoded((9 * MS, 40 * n * MS + (3000 * MS if n >= 100 else 0), 40 * n * MS) for n in range(300))
    assert decoded == list(range(300))


def test_what_was_held_up_is_read_up_and_not_left_out_as_long_as_that_goes_fast() -> None:
    # the network stands still for 3 s, and then gives it all at once: 4 ms for each frame until it is at its newest
    def times() -> Iterable[tuple[int, int, int]]:
        now_ns = 0
        for n in range(400):
            came_ns = 40 * n * MS + (3000 * MS if 100 <= n < 175 else 0)
            waited_ns = max(MS // 10, (came_ns if n != 100 else 7000 * MS) - now_ns) if not 100 < n < 183 else MS // 10
            now_ns += waited_ns + 4 * MS
            yield waited_ns, now_ns, 40 * n * MS

    assert _decoded(times()) == list(range(400))


def test_what_came_while_it_was_opened_is_no_backlog() -> None:
    # 10 s of it wait, and are read at three times its speed
    assert _decoded((MS // 10, 13 * n * MS, 40 * n * MS) for n in range(250)) == list(range(250))


def test_a_clock_of_the_server_that_leaps_back_costs_nothing() -> None:
    decoded = _decoded((30 * MS, 40 * n * MS, 40 * n * MS - (10**7 * MS if n >= 100 else 0)) for n in range(300))
    assert decoded == list(range(300))
