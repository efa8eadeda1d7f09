"""Streams of real servers on this machine: what is read of each kind, how it ends, and what is left out."""

import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import cv2
import pytest

from streamer.errors import SourceLost, SourceOpenError
from streamer.frame import Frame
from streamer.sources import SourceOptions, open_source
from streamer.sources.network import NetworkSource
from tests import loopback
from tests.clips import number_of, numbered_image, write_clip
from tests.plain_server import http, plain_server
from tests.sources.reading import ONCE, PATIENT, some
from tests.streams import (
    H264,
    ffmpeg,
    free_port,
    mjpeg_server,
    needs_ffmpeg,
    rtsp_server,
    ts_server,
    wait_for,
    wait_listening,
)


def _in_order(frames: list[Frame]) -> bool:
    times = [(frame.captured_ns, frame.index, frame.pts_s or 0.0) for frame in frames]
    return times == sorted(times)


def test_motion_jpeg_is_read_as_it_comes() -> None:
    with mjpeg_server() as uri:
        source = open_source(uri, PATIENT)
        assert source.live
        frames = some(source, 10)
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    assert frames[0].source == uri
    assert frames[0].pts_s == 0.0
    assert 0.2 < (frames[-1].pts_s or 0.0) < 5
    assert source.info.kind == "stream"
    assert "mjpeg over http" in source.info.decoder
    assert source.info.fps is None  # FFmpeg says 25, of any


def test_a_transport_stream_over_tcp_is_read_and_ends_with_its_server() -> None:
    with ts_server(seconds=1.0) as uri:
        source = open_source(uri, PATIENT)
        frames = list(source.frames())
    assert len(frames) >= 20
    assert _in_order(frames)
    assert {frame.size_px for frame in frames} == {(160, 120)}
    assert source.produced == frames[-1].index + 1


def test_a_transport_stream_over_udp_is_read() -> None:
    uri = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    with ffmpeg(*H264, "-f", "mpegts", f"{uri}?pkt_size=1316"):
        frames = some(open_source(uri, SourceOptions(reconnect=False, open_timeout_s=10.0, read_timeout_s=1.0)), 10)
    assert len(frames) == 10
    assert _in_order(frames)


def test_rtmp_is_read_without_waiting_for_a_sound_that_never_comes() -> None:
    port = free_port()
    uri = f"rtmp://127.0.0.1:{port}/live/camera"
    with ffmpeg(*H264, "-f", "flv", "-listen", "1", uri):
        wait_listening(port)
        frames = some(open_source(uri, PATIENT), 10)
    assert len(frames) == 10


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rtsp_is_read(transport: str) -> None:
    options = SourceOptions(reconnect=False, open_timeout_s=10.0, rtsp_transport=transport)  # type: ignore[arg-type]
    with rtsp_server() as uri:
        source = open_source(uri, options)
        assert source.info.size_px == (160, 120)
        assert len(some(source, 10)) == 10
        with pytest.raises(SourceOpenError, match="404: there is no such stream"):
            open_source(uri + "/nothing", PATIENT)


def test_a_file_over_http_has_an_end_and_loses_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", frames=30)
    with loopback.serving() as web:
        source = open_source(web.serve("clip.mkv", clip.read_bytes()))
        assert not source.live
        frames = list(source.frames())
    assert [number_of(frame.image) for frame in frames] == list(range(30))
    assert [frame.pts_s for frame in frames] == pytest.approx([n / 10 for n in range(30)])
    assert source.info.kind == "stream"


def test_a_file_over_http_that_breaks_off_is_told(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", frames=40, fps=5, size_px=(320, 240))
    with loopback.serving() as web:
        source = open_source(web.serve("clip.mkv", clip.read_bytes(), faults=["truncate"]), ONCE)
        frames: list[Frame] = []
        with pytest.raises(SourceLost, match="broke off"):
            frames.extend(source.frames())
    assert 0 < len(frames) < 40


def hls(folder: Path, *, seconds: int = 4) -> Path:
    needs_ffmpeg()
    command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25", *H264]
    command += ["-t", str(seconds), "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod"]
    subprocess.run([*command, str(folder / "vod.m3u8")], check=True)
    return folder / "vod.m3u8"


def test_hls_that_is_complete_loses_nothing(tmp_path: Path) -> None:
    hls(tmp_path)
    with loopback.serving() as web:
        for path in sorted(tmp_path.glob("vod*")):
            web.serve(path.name, path.read_bytes())
        source = open_source(web.root + "vod.m3u8")
        assert not source.live
        assert source.info.duration_s == pytest.approx(4.0)
        assert len(list(source.frames())) == 100


def test_live_hls_comes_at_its_own_speed_and_not_a_segment_at_a_time(tmp_path: Path) -> None:
    playlist = hls(tmp_path)
    endless = playlist.read_text().replace("#EXT-X-ENDLIST", "").replace("#EXT-X-PLAYLIST-TYPE:VOD", "")
    with loopback.serving() as web:
        for path in sorted(tmp_path.glob("vod*")):
            web.serve(path.name, path.read_bytes())
        source = open_source(web.serve("live.m3u8", endless.encode()), PATIENT)
        assert source.live
        frames = some(source, 20)
    assert (frames[-1].pts_s or 0.0) == pytest.approx(19 / 25, abs=0.25)


def test_a_server_that_says_nothing_is_left_after_the_timeout_and_the_closing_thread_does_not_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"
        with pytest.raises(SourceOpenError, match=r"no answer within 0\.5 s"):
            open_source(uri, SourceOptions(reconnect=False, open_timeout_s=0.5))
        source = NetworkSource(uri, options=SourceOptions(open_timeout_s=1.0))
        reader = threading.Thread(target=lambda: list(source.frames()))
        reader.start()
        source.close()
        reader.join(0.5)
        assert not reader.is_alive()


def test_who_reads_slowly_gets_the_newest_and_the_rest_is_counted() -> None:
    with mjpeg_server(fps=200) as uri:
        source = NetworkSource(uri, options=PATIENT)
        reading = source.frames()
        first = next(reading)
        wait_for(lambda: source._connection.produced > 200)
        second = next(reading)
        assert second.index - first.index > 100
        assert source.produced == second.index + 1
        source.close()
    assert source.info.left_out >= second.index - first.index - 1  # and what came until it was closed


def test_what_concerns_files_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with mjpeg_server() as uri:
        open_source(uri, SourceOptions(reconnect=False, stride=2)).close()
    assert "stride: no effect on a stream" in caplog.text


def test_a_signal_ends_the_first_connection() -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupted)
    try:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            uri = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"
            began = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                open_source(uri, SourceOptions(open_timeout_s=1.5, reconnect=True))
            assert time.monotonic() - began < 1.2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("pattern", ["rtsp://127.0.0.1:{}/live", "tcp://127.0.0.1:{}", "http://127.0.0.1:{}/a.m3u8"])
def test_the_thread_ends_with_its_source_and_not_with_its_timeout(pattern: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = pattern.format(silent.getsockname()[1])
        source = NetworkSource(uri, options=SourceOptions(open_timeout_s=60.0, read_timeout_s=60.0))
        with silent.accept()[0]:
            began = time.monotonic()
            source.close()
            wait_for(lambda: not [t for t in threading.enumerate() if t.name.startswith("streamer-")])
    print(f"{pattern.partition(':')[0]}: its threads are gone {time.monotonic() - began:.2f} s after it was closed")


@pytest.mark.parametrize("wrong_by", [500, -500])
def test_motion_jpeg_whose_lengths_are_wrong_is_read_by_its_bytes(
    wrong_by: int, caplog: pytest.LogCaptureFixture
) -> None:
    parts = []
    for number in range(30):
        jpeg = cv2.imencode(".jpg", numbered_image(number, size_px=(160, 120)))[1].tobytes()
        assert len(jpeg) > 600
        parts.append(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (len(jpeg) + wrong_by))
        parts.append(jpeg + b"\r\n")
    with plain_server(http(b"".join(parts), kind="multipart/x-mixed-replace; boundary=frame")) as server:
        source = open_source(f"http://127.0.0.1:{server.port}/video", PATIENT)
        numbers = [number_of(frame.image) for frame in source.frames()]
    assert numbers[-30:] == list(range(30))
    assert "its pictures are not as long as it says" in caplog.text
