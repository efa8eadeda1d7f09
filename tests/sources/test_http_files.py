"""What is behind http: told apart, files that end from streams that do not, whatever their server says of it."""

import io
import subprocess
from pathlib import Path

import cv2
import pytest

from streamer.clock import FakeClock
from streamer.errors import SourceLost, SourceOpenError
from streamer.pyav import VideoFrame, av
from streamer.sources import SourceOptions, open_source
from streamer.sources.connection import Connection
from streamer.sources.network import NetworkSource
from streamer.sources.stream_decoder import StreamDecoder
from tests import loopback
from tests.clips import number_of, numbered_image, write_clip
from tests.plain_server import http, plain_server
from tests.streams import needs_ffmpeg

ONCE = SourceOptions(reconnect=False, open_timeout_s=10.0, read_timeout_s=10.0)


def _numbers(answer_of: bytes, name: str, *, with_length: bool) -> list[int]:
    with plain_server(http(answer_of, with_length=with_length)) as server:
        source = open_source(f"http://127.0.0.1:{server.port}/{name}")
        assert not source.live
        return [number_of(frame.image) for frame in source.frames()]


def test_a_transport_stream_that_has_a_length_is_a_file_also_without_ranges(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.ts", frames=40)
    assert _numbers(clip.read_bytes(), "clip.ts", with_length=True) == list(range(40))


def test_a_file_without_a_length_ends_where_its_server_ends_it(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", frames=40)
    assert _numbers(clip.read_bytes(), "clip.mkv", with_length=False) == list(range(40))


def test_a_file_whose_index_cannot_be_reached_is_told_so(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clip.mp4", frames=40).read_bytes()
    index_at = data.index(b"moov") - 4
    assert data.index(b"mdat") < index_at
    padding = (8 + 4_000_000).to_bytes(4, "big") + b"free" + bytes(4_000_000)  # more than is read ahead
    data = data[:index_at] + padding + data[index_at:]
    for with_length in (True, False):
        with plain_server(http(data, with_length=with_length)) as server:
            source = open_source(f"http://127.0.0.1:{server.port}/clip.mp4", ONCE)
            with pytest.raises(SourceLost, match=r"its index stands at its end.*faststart"):
                list(source.frames())


def test_a_picture_is_one_picture_and_is_not_asked_for_again_and_again() -> None:
    _, jpeg = cv2.imencode(".jpg", numbered_image(7))
    with plain_server(http(jpeg.tobytes(), kind="image/jpeg")) as server:
        source = open_source(f"http://127.0.0.1:{server.port}/snapshot")
        assert not source.live
        assert [number_of(frame.image) for frame in source.frames()] == [7]
        asked = len(server.requests)
    assert asked == 1


def test_a_page_without_a_length_is_not_taken_for_a_connection_that_broke_off() -> None:
    page = http(b"<html><body>Please log in</body></html>", kind="text/html")
    with plain_server(page) as server, pytest.raises(SourceOpenError, match="it answers, but what it sends"):
        open_source(f"http://127.0.0.1:{server.port}/video", ONCE)


def test_who_lets_a_file_wait_does_not_lose_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_ffmpeg()
    clip = tmp_path / "clip.mkv"
    made = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10", "-f", "lavfi", "-i", "sine", "-t", "2"]
    subprocess.run(["ffmpeg", "-loglevel", "error", *made, "-c:v", "libx264", str(clip)], check=True)
    clock, put = FakeClock(), Connection._put

    def put_late(connection: Connection, frame: VideoFrame, decoder: StreamDecoder) -> None:
        put(connection, frame, decoder)
        clock.advance(60.0)

    monkeypatch.setattr(Connection, "_put", put_late)
    with loopback.serving() as web:
        source = NetworkSource(web.serve("clip.mkv", clip.read_bytes()), options=ONCE, clock=clock)
        assert len(list(source.frames())) == 20


def test_pictures_that_are_made_from_one_that_is_missing_are_not_shown() -> None:
    """Sorenson's codec, as MPEG-4, begins on grey where it is not held off."""
    flv, kept = io.BytesIO(), list(range(5, 40))
    with av.open(flv, "w", format="flv", options={"flvflags": "no_duration_filesize"}) as container:
        stream = container.add_stream("flv", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = 12
        for number in range(40):
            for packet in stream.encode(VideoFrame.from_ndarray(numbered_image(number), format="bgr24")):
                if number in kept:
                    container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    with plain_server(http(flv.getvalue(), kind="video/x-flv")) as server:
        source = open_source(f"http://127.0.0.1:{server.port}/live.flv", ONCE)
        assert source.live
        numbers = [number_of(frame.image) for frame in source.frames()]
    assert len(numbers) == 28
    assert min(numbers) == numbers[0] == 12


def test_of_a_playlist_of_variants_the_best_is_read_and_the_others_are_not_fetched(tmp_path: Path) -> None:
    needs_ffmpeg()
    for name, size in (("low", "64x48"), ("best", "320x240"), ("middle", "160x120")):
        made = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25", "-t", "8", "-c:v", "libx264", "-g", "25"]
        hls = ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", str(tmp_path / f"{name}.m3u8")]
        subprocess.run(["ffmpeg", "-loglevel", "error", *made, *hls], check=True)
    lines = ["#EXTM3U"]
    for name, rate in (("low", 100_000), ("best", 900_000), ("middle", 300_000)):
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={rate}", f"{name}.m3u8"]
    (tmp_path / "master.m3u8").write_text("\n".join(lines) + "\n")

    def answer(request: bytes) -> bytes:
        path = tmp_path / request.split()[1].decode().strip("/")
        return http(path.read_bytes(), with_length=True)(request)

    with plain_server(answer) as server:
        source = open_source(f"http://127.0.0.1:{server.port}/master.m3u8", ONCE)
        frames = list(source.frames())
        fetched = {request.split()[1].decode().strip("/") for request in server.requests}
    assert len(frames) == 200
    assert {frame.size_px for frame in frames} == {(320, 240)}
    assert {f"best{number}.ts" for number in range(8)} <= fetched
    assert not fetched & {f"{name}{number}.ts" for name in ("low", "middle") for number in range(3, 8)}
