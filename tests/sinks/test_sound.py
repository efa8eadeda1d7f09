"""The sound of a file beside the recording of its frames: every track, in step, copied or encoded."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.frame import Detections, Frame, Result
from streamer.pyav import AudioFrame, AudioStream, Packet, VideoFrame, VideoStream, av
from streamer.sinks.options import AudioMode, VideoOptions
from streamer.sinks.recorder import Recorder
from tests.sinks.scenes import grey

FPS = 10
RATE = 16_000
CLICK_S = 0.5
"""A click so often, each at the moment at which a frame turns white."""

FIRST_S = 0.2


def clip(
    path: Path,
    *,
    seconds: float = 3.0,
    tracks: int = 1,
    codec: str = "aac",
    starts_s: float = 0.0,
    sound_s: tuple[float, float] | None = None,
    chapters: bool = False,
) -> Path:
    """A video whose frames turn white, and whose sound clicks, every half second.

    starts_s: where its times begin. sound_s: from when to when it has sound; all the time if not given.
    """
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Žluťoučký kůň"
        video = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sounds = []
        for number in range(tracks):
            sound = container.add_stream(codec, rate=RATE, layout="mono")
            assert isinstance(sound, AudioStream)
            sound.metadata["language"] = ("eng", "fra", "deu")[number]
            sounds.append(sound)
        if chapters:
            container.set_chapters([_chapter(1, 0, 1.5, "one"), _chapter(2, 1.5, 3, "zwei")])
        packets: list[Packet] = []
        for index in range(round(seconds * FPS)):
            white = index % round(CLICK_S * FPS) == round(FIRST_S * FPS)
            frame = VideoFrame.from_ndarray(grey(235 if white else 20, size_px=(64, 48)), format="bgr24")
            frame.pts, frame.time_base = round((starts_s + index / FPS) * 1000), Fraction(1, 1000)
            packets += video.encode(frame)
        packets += video.encode(None)
        begin_s, end_s = sound_s or (0.0, seconds)
        for sound in sounds:
            for block in _clicks(begin_s, end_s, starts_s=starts_s):
                packets += sound.encode(block)
            packets += sound.encode(None)
        for packet in sorted(packets, key=lambda one: float((one.dts or 0) * (one.time_base or 0))):
            container.mux(packet)
    return path


def _chapter(number: int, start_s: float, end_s: float, title: str) -> Any:
    base = Fraction(1, 1000)
    return {
        "id": number,
        "start": round(start_s / base),
        "end": round(end_s / base),
        "time_base": base,
        "metadata": {"title": title},
    }


def _clicks(begin_s: float, end_s: float, *, starts_s: float) -> Iterator[AudioFrame]:
    samples = np.zeros(round(end_s * RATE), np.float32)
    for click in np.arange(FIRST_S, end_s, CLICK_S):
        first = round(click * RATE)
        samples[first : first + 80] = np.sin(np.arange(len(samples[first : first + 80]))) * 0.8
    for first in range(round(begin_s * RATE), len(samples), 1024):
        block = AudioFrame.from_ndarray(samples[None, first : first + 1024].copy(), format="fltp", layout="mono")
        block.sample_rate, block.pts, block.time_base = RATE, round(starts_s * RATE) + first, Fraction(1, RATE)
        yield block


def recorded(
    source: Path,
    out: Path,
    *,
    audio: AudioMode = "copy",
    frames: slice = slice(None),
    segment_s: float | None = None,
) -> list[Path]:
    """Record the frames of `source` as the pipeline does: pts in seconds since its first frame."""
    recorder = Recorder(out, fps=FPS, video=VideoOptions(audio=audio), from_files=True, segment_s=segment_s)
    with av.open(str(source)) as container:
        shown = list(container.decode(container.streams.video[0]))
    zero_s = shown[0].time or 0.0
    for index, one in list(enumerate(shown))[frames]:
        image = np.ascontiguousarray(one.to_ndarray(format="bgr24"), np.uint8)
        frame = Frame(image, index, captured_ns=0, pts_s=(one.time or 0.0) - zero_s, source=str(source))
        recorder.write(Result(frame, Detections.empty(), image=image))
    recorder.close()
    return list(recorder.recorded_files)


def clicks(path: Path, track: int = 0) -> list[float]:
    """When it clicks, in seconds as the container counts."""
    with av.open(str(path)) as container:
        times: list[float] = []
        for frame in container.decode(container.streams.audio[track]):
            loud = np.flatnonzero(np.abs(np.asarray(frame.to_ndarray(), np.float64)).max(axis=0) > _loud(frame))
            times += [(frame.time or 0.0) + int(at) / frame.sample_rate for at in loud]
    return [time_s for n, time_s in enumerate(times) if n == 0 or time_s - times[n - 1] > CLICK_S / 2]


def _loud(frame: AudioFrame) -> float:
    return 0.2 * (32768 if frame.format.name.startswith("s16") else 1)


def flashes(path: Path) -> list[float]:
    """When it is white."""
    with av.open(str(path)) as container:
        frames = [(frame.time or 0.0, frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
    return [time_s for time_s, light in frames if light > 128]


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm", ".ts"])
@pytest.mark.parametrize("audio", ["copy", "encode"])
def test_it_clicks_when_it_flashes(tmp_path: Path, ending: str, audio: AudioMode) -> None:
    source = clip(tmp_path / "in.mp4")
    (out,) = recorded(source, tmp_path / f"out{ending}", audio=audio)
    assert len(flashes(out)) == 6
    assert clicks(out) == pytest.approx(flashes(out), abs=0.02)


@pytest.mark.parametrize("starts_s", [0.0, 1.4, 3600.0])
def test_a_file_that_begins_elsewhere_stays_in_step(tmp_path: Path, starts_s: float) -> None:
    (out,) = recorded(clip(tmp_path / "in.mkv", starts_s=starts_s), tmp_path / "out.mp4")
    assert flashes(out)[0] == pytest.approx(FIRST_S, abs=0.07)
    assert clicks(out) == pytest.approx(flashes(out), abs=0.02)


@pytest.mark.parametrize("sound_s", [(0.7, 3.0), (0.0, 1.6), (0.0, 5.0)])
def test_sound_that_is_shorter_or_longer_stays_so(tmp_path: Path, sound_s: tuple[float, float]) -> None:
    (out,) = recorded(clip(tmp_path / "in.mkv", sound_s=sound_s), tmp_path / "out.mp4")
    wanted = [click for click in np.arange(FIRST_S, sound_s[1], CLICK_S).tolist() if click >= sound_s[0]]
    assert clicks(out) == pytest.approx(wanted, abs=0.03)


def test_a_part_of_a_file_has_the_sound_of_that_part(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mp4", seconds=10.0)
    (out,) = recorded(source, tmp_path / "out.mp4", frames=slice(62, 88))
    assert clicks(out) == pytest.approx(flashes(out), abs=0.02)
    assert len(clicks(out)) == 6
    with av.open(str(out)) as container:
        sound = container.streams.audio[0]
        assert float((sound.duration or 0) * (sound.time_base or 0)) == pytest.approx(2.6, abs=0.2)


def test_parts_of_a_recording_have_theirs(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mp4", seconds=7.0)
    parts = recorded(source, tmp_path / "out.mp4", segment_s=3.0)
    assert [path.name for path in parts] == ["out.mp4", "out-002.mp4", "out-003.mp4"]
    assert [len(flashes(path)) for path in parts] == [6, 6, 2]
    for path in parts:
        assert clicks(path) == pytest.approx(flashes(path), abs=0.02)


@pytest.mark.parametrize("audio", ["copy", "encode"])
def test_all_tracks_and_their_languages_are_kept(tmp_path: Path, audio: AudioMode) -> None:
    (out,) = recorded(clip(tmp_path / "in.mkv", tracks=3), tmp_path / "out.mp4", audio=audio)
    with av.open(str(out)) as container:
        assert [stream.language for stream in container.streams.audio] == ["eng", "fra", "deu"]
    assert [clicks(out, track) for track in range(3)] == [pytest.approx(flashes(out), abs=0.02)] * 3


def test_what_is_copied_is_the_same_to_the_bit(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mp4")
    (out,) = recorded(source, tmp_path / "out.mp4")
    assert sound_packets(out) == sound_packets(source)


def test_without_sound_there_is_none(tmp_path: Path) -> None:
    (out,) = recorded(clip(tmp_path / "in.mp4"), tmp_path / "out.mp4", audio="none")
    with av.open(str(out)) as container:
        assert not container.streams.audio


def test_title_and_chapters_are_kept(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mkv", chapters=True)
    for ending in (".mp4", ".mkv"):
        (out,) = recorded(source, tmp_path / f"out{ending}")
        assert chapters_of(out) == [("one", 0.0, 1.5), ("zwei", 1.5, 3.0)]
        with av.open(str(out)) as container:
            assert container.metadata["title"] == "Žluťoučký kůň"
    for ending in (".mp4", ".mkv"):
        (part,) = recorded(source, tmp_path / f"part{ending}", frames=slice(12, 20))
        assert chapters_of(part) == [("one", 0.0, 0.3), ("zwei", 0.3, 0.8)]


def sound_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]


def chapters_of(path: Path) -> list[tuple[str, float, float]]:
    """Their titles, and from when to when in tenths of a second, which sound before the picture does not change."""
    with av.open(str(path)) as container:
        return [
            (
                one["metadata"].get("title", ""),
                round(float(one["start"] * (one["time_base"] or 0)), 1),
                round(float(one["end"] * (one["time_base"] or 0)), 1),
            )
            for one in container.chapters()
        ]
