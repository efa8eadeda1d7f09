import threading

from streamer.sources.access import Access


def test_a_capture_is_let_go_once() -> None:
    released: list[int] = []
    access = Access(lambda: released.append(1), name="a")
    with access.turn() as is_open:
        assert is_open
    access.close()
    access.close()
    with access.turn() as is_open:
        assert not is_open
    assert released == [1]


def test_a_reader_that_outlasts_the_wait_lets_go_itself() -> None:
    released: list[str] = []
    access = Access(lambda: released.append(threading.current_thread().name), name="camera 0")
    reading, go_on = threading.Event(), threading.Event()

    def read() -> None:
        with access.turn():
            reading.set()
            go_on.wait(10)

    reader = threading.Thread(target=read, name="reader")
    reader.start()
    assert reading.wait(10)
    access.close(timeout_s=0.01)
    assert released == []
    go_on.set()
    reader.join(10)
    assert released == ["reader"]


def test_a_reader_may_close_what_it_reads() -> None:
    released: list[int] = []
    access = Access(lambda: released.append(1), name="a")
    with access.turn():
        pass
    access.close()
    assert released == [1]
