import logging
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import ConfigError, SourceError, SourceOpenError
from streamer.frame import Frame
from streamer.sources import comes_once, open_source
from streamer.sources.options import SourceOptions
from streamer.sources.pipe import PipeSource
from tests.clips import number_of, numbered_image, write_clip

FRAMES = 8


@contextmanager
def piped(data: bytes, *, ends: bool = True) -> Iterator[int]:
    """The reading end of a pipe into which a thread writes `data`, and that ends then, or does not."""
    reading, writing = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError):
            rest = data
            while rest:
                rest = rest[os.write(writing, rest) :]
        if ends:
            os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield reading
    finally:
        os.close(reading)
        thread.join(10)
        if not ends:
            os.close(writing)


def _frames(data: bytes, *texts: str, stride: int = 1) -> list[Frame]:
    with piped(data) as fd:
        source = PipeSource(fd, options=SourceOptions(source_options=texts, stride=stride))
        return list(source.frames())


def _refused(data: bytes) -> str:
    with piped(data) as fd, pytest.raises(SourceOpenError) as caught:
        PipeSource(fd)
    return str(caught.value)


@pytest.mark.parametrize("ending", ["ts", "mkv"])
def test_every_frame_of_a_stream_comes_with_its_time(tmp_path: Path, ending: str) -> None:
    clip = write_clip(tmp_path / f"clip.{ending}", frames=FRAMES, fps=10)
    frames = _frames(clip.read_bytes())
    assert [number_of(frame.image) for frame in frames] == list(range(FRAMES))
    assert [frame.pts_s for frame in frames] == pytest.approx([number / 10 for number in range(FRAMES)], abs=1e-3)
    assert {frame.source for frame in frames} == {"stdin"}


def test_y4m_is_read_as_it_comes() -> None:
    grey = np.full(64 * 48 * 3 // 2, 128, np.uint8).tobytes()
    frames = _frames(b"YUV4MPEG2 W64 H48 F25:1 Ip C420jpeg\n" + (b"FRAME\n" + grey) * 3)
    assert [frame.pts_s for frame in frames] == pytest.approx([0.0, 0.04, 0.08])
    assert frames[0].size_px == (64, 48)


def test_raw_pictures_are_exact() -> None:
    images = [numbered_image(number) for number in range(3)]
    frames = _frames(b"".join(image.tobytes() for image in images), "size=64x48", "pixel_format=bgr24", "fps=50")
    assert all(np.array_equal(frame.image, image) for frame, image in zip(frames, images, strict=True))
    assert [frame.pts_s for frame in frames] == pytest.approx([0.0, 0.02, 0.04])


def test_every_nth_frame_is_read(tmp_path: Path) -> None:
    frames = _frames(write_clip(tmp_path / "clip.ts", frames=FRAMES).read_bytes(), stride=3)
    assert [number_of(frame.image) for frame in frames] == [0, 3, 6]
    assert [frame.index for frame in frames] == [0, 1, 2]


def test_a_file_instead_of_a_pipe_may_have_its_index_at_the_end(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=FRAMES)
    with clip.open("rb") as file:
        source = PipeSource(file.fileno())
        assert len(list(source.frames())) == FRAMES
        assert not file.closed


def test_a_stream_that_is_cut_is_read_to_its_end(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clip.mkv", frames=36).read_bytes()
    frames = _frames(data[: len(data) * 9 // 10])
    assert 0 < len(frames) < 36
    numbers = [number_of(frame.image) for frame in frames]
    assert numbers == sorted(set(numbers))
    assert numbers[:24] == list(range(24))


def test_raw_pictures_of_which_the_last_is_cut_are_read_to_the_last_whole_one(caplog: pytest.LogCaptureFixture) -> None:
    image = numbered_image(1).tobytes()
    with caplog.at_level(logging.WARNING):
        assert len(_frames(image * 2 + image[:99], "size=64x48", "pixel_format=bgr24")) == 2
    assert "damaged after 2 frames" in caplog.text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "nothing came in"),
        (b"nonsense" * 999, "unreadable or truncated"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "unreadable or truncated"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "unreadable or truncated"),
    ],
)
def test_what_is_no_stream_is_refused_and_a_playlist_opens_nothing(data: bytes, text: str) -> None:
    assert text in _refused(data)


def test_a_playlist_does_not_reach_a_clip_that_is_there(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.ts")
    assert "unreadable" in _refused(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n".encode())
    assert "unreadable" in _refused(f"ffconcat version 1.0\nfile {clip}\n".encode())


def test_a_terminal_is_refused() -> None:
    one, other = pty.openpty()
    try:
        with pytest.raises(SourceOpenError, match="it is a terminal"):
            PipeSource(other)
    finally:
        os.close(one)
        os.close(other)


@pytest.mark.parametrize(
    ("texts", "says"), [(("width=3",), "knows no 'width'"), (("pixel_format=bgr24",), "raw pictures need their size")]
)
def test_options_that_are_not_known_are_refused(texts: tuple[str, ...], says: str) -> None:
    with piped(b"") as fd, pytest.raises(ConfigError) as caught:
        PipeSource(fd, options=SourceOptions(source_options=texts))
    assert says in str(caught.value)


def test_options_that_cannot_be_are_refused() -> None:
    with piped(b"x" * 999) as fd, pytest.raises(SourceError, match="unreadable"):
        PipeSource(fd, options=SourceOptions(source_options=("size=0x0",)))


def test_close_ends_a_read_that_waits() -> None:
    came = threading.Event()

    def read(source: PipeSource) -> None:
        for _ in source.frames():
            came.set()

    with piped(numbered_image(0).tobytes() * FRAMES, ends=False) as fd:
        source = PipeSource(fd, options=SourceOptions(source_options=("size=64x48", "pixel_format=bgr24")))
        reader = threading.Thread(target=read, args=(source,))
        reader.start()
        assert came.wait(10)
        source.close()
        reader.join(10)
        assert not reader.is_alive()


def test_a_signal_while_nothing_comes_ends_the_opening() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        with piped(b"", ends=False) as fd:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                PipeSource(fd)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_standard_input_is_the_source_of_that_name(tmp_path: Path) -> None:
    assert comes_once("-")
    clip = write_clip(tmp_path / "clip.ts", frames=FRAMES)
    program = """
from streamer.sources import open_source
source = open_source("-")
print(source.info.kind, source.live, len(list(source.frames())))
"""
    with clip.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", program], stdin=file, capture_output=True, text=True, check=True, timeout=60
        )
    assert done.stdout.split() == ["pipe", "False", str(FRAMES)]


def test_a_file_called_dash_is_still_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.ts").rename(tmp_path / "-")
    source = open_source("./-")
    source.close()
    assert source.info.kind == "video"


def test_an_mp4_whose_index_comes_last_is_told_how_to_be_read(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clip.mp4", frames=40).read_bytes()
    index_at = data.index(b"moov") - 4
    padding = (8 + 4_000_000).to_bytes(4, "big") + b"free" + bytes(4_000_000)  # more than is read ahead
    told = "index at its end is read as a file and not from a pipe"
    with piped(data[:index_at] + padding + data[index_at:]) as fd, pytest.raises(SourceOpenError, match=told):
        PipeSource(fd)


def test_what_is_cut_off_where_nothing_is_damaged_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = write_clip(tmp_path / "clip.mkv", frames=40, fps=4, size_px=(320, 240)).read_bytes()
    frames = _frames(data[: len(data) // 2])
    assert 4 < len(frames) < 32
    assert "stdin: broken off, read " in caplog.text
    assert " s of 10.0 s" in caplog.text


def test_what_decodes_is_named_without_a_word_on_opencv_that_was_not_asked(tmp_path: Path) -> None:
    with piped(write_clip(tmp_path / "clip.ts", frames=12).read_bytes()) as fd:
        source = PipeSource(fd)
        assert source.info.decoder == "PyAV, h264"
        source.close()
