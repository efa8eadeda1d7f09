"""Live streams that beep and flash, recorded: the sound of the connection that is read, in step with its frames."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from streamer.frame import Detections, Result
from streamer.interfaces import Audible
from streamer.pyav import av
from streamer.sinks.recorder import Recorder
from streamer.sources import SourceOptions, open_source
from tests.streams import free_port, mjpeg_server, needs_ffmpeg, rtsp_server_of, wait_for, wait_listening

EVERY_S, LONG_S = 1, 0.2
FLASHES = f"color=black:s=160x120:r=25,drawbox=enable='lt(mod(t\\,{EVERY_S})\\,{LONG_S})':color=white:t=fill"
BEEPS = f"aevalsrc='if(lt(mod(t\\,{EVERY_S})\\,{LONG_S})\\,0.8*sin(2*PI*1000*t)\\,0)':s=44100"

IN_STEP_S = 0.2
"""0.02 s on a quiet machine; on a busy one a frame is captured later than its sound is heard."""


def encoding(*, sound: str) -> list[str]:
    needs_ffmpeg()
    picture = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "12", "-pix_fmt", "yuv420p"]
    return [*picture, "-c:a", sound, "-ac", "1"]


@contextmanager
def ts_server(port: int, *, sound: str, seconds: float) -> Iterator[str]:
    """MPEG-TS over TCP for one client; the address."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", FLASHES]
    command += ["-re", "-f", "lavfi", "-i", BEEPS, "-t", str(seconds), *encoding(sound=sound), "-f", "mpegts"]
    with subprocess.Popen([*command, f"tcp://127.0.0.1:{port}?listen=1"], stderr=subprocess.DEVNULL) as process:
        try:
            wait_listening(port)
            yield f"tcp://127.0.0.1:{port}"
        finally:
            process.kill()


def record(address: str, out: Path, *, seconds: float) -> tuple[Path, ...]:
    """So much of the stream in one file, or in one for each connection."""
    with closing(open_source(address, SourceOptions(duration_s=seconds, open_timeout_s=10.0))) as source:
        assert isinstance(source, Audible)
        recorder = Recorder(out, fps=source.info.fps, live=True, sound=lambda: source.sound)
        with closing(recorder):
            for frame in source.frames():
                recorder.write(Result(frame, Detections.empty(), image=frame.image))
    return recorder.recorded_files


def flashes_and_beeps(path: Path) -> tuple[list[float], list[float]]:
    """When they begin, seconds of the file; those of its first second left out, which came in a burst."""
    with av.open(str(path)) as container:
        whites = [(frame.time, frame.to_ndarray(format="gray").mean() > 128) for frame in container.decode(video=0)]
    flashes = [time_s for (time_s, now), (_, before) in zip(whites[1:], whites, strict=False) if now and not before]
    beeps, last_s = [], -1.0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.1)
            for at in (loud[0], loud[-1]) if len(loud) else ():
                time_s = (frame.time or 0.0) + float(at) / frame.sample_rate
                if time_s - last_s > EVERY_S / 2:
                    beeps.append(time_s)
                last_s = time_s
    return [at for at in flashes if at and at > 0.5], beeps


def assert_in_step(path: Path, *, least: int) -> None:
    flashes, beeps = flashes_and_beeps(path)
    assert len(flashes) >= least
    assert len(beeps) >= least
    assert median(min(abs(beep - flash) for beep in beeps) for flash in flashes) < IN_STEP_S, (flashes, beeps)
    steady = np.diff(beeps[1:])
    assert np.abs(steady - EVERY_S).max() < 0.1, beeps


@pytest.mark.parametrize(("sound", "ending"), [("aac", ".mp4"), ("libopus", ".webm"), ("mp2", ".mkv")])
def test_sound_of_a_transport_stream_is_recorded(sound: str, ending: str, tmp_path: Path) -> None:
    with ts_server(free_port(), sound=sound, seconds=30.0) as address:
        (path,) = record(address, tmp_path / f"out{ending}", seconds=7.0)
    assert_in_step(path, least=5)


def test_sound_of_a_camera_over_rtsp_is_recorded(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", FLASHES, "-f", "lavfi", "-i", BEEPS]
    subprocess.run([*command, "-t", "20", *encoding(sound="pcm_s16le"), str(clip)], check=True, timeout=60)
    with rtsp_server_of(clip) as address:
        (path,) = record(address, tmp_path / "out.mp4", seconds=7.0)
    assert_in_step(path, least=5)


def test_sound_comes_back_with_the_stream(tmp_path: Path) -> None:
    port = free_port()
    files: list[Path] = []

    def watch(address: str) -> None:
        files.extend(record(address, tmp_path / "out.mp4", seconds=12.0))

    with ts_server(port, sound="aac", seconds=5.0) as address:
        watching = threading.Thread(target=watch, args=(address,))
        watching.start()
        wait_for(lambda: bool(list(tmp_path.glob("out.part.mp4"))))
        wait_for(lambda: _is_over(port), timeout_s=20.0)
    with ts_server(port, sound="aac", seconds=30.0):
        watching.join(timeout=40.0)
    assert not watching.is_alive()
    assert len(files) == 2
    for path in files:
        assert_in_step(path, least=2)


def _is_over(port: int) -> bool:
    """Whether nobody is connected to it any more."""
    sockets = Path("/proc/net/tcp").read_text().splitlines()
    return not any(f":{port:04X} " in line and " 01 " in line for line in sockets)


def test_a_stream_without_sound_gives_a_file_without_sound(tmp_path: Path) -> None:
    with mjpeg_server(frames=30) as address:
        (path,) = record(address, tmp_path / "out.mp4", seconds=0.6)
    with av.open(str(path)) as container:
        assert not container.streams.audio
