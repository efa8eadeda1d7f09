"""The sound of a live stream beside its frames: in step, without a hole, whatever comes or does not come."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer.clock import NS_PER_S
from streamer.frame import Detections, Frame, Result
from streamer.labels import Labels
from streamer.pyav import AudioStream, av
from streamer.sinks.clips import Clips
from streamer.sinks.conditions import Condition
from streamer.sinks.options import AudioMode, VideoOptions
from streamer.sinks.recorder import Recorder
from streamer.sound import KEPT_BYTES, KEPT_NS, SoundFormat, SoundLine
from tests.sinks.scenes import decoded, grey

FPS = 25
RATE = 8000
PACKET_S = 0.02
BEEP_EVERY_S, BEEP_S = 1.0, 0.1
CAPTURED_NS = 77 * NS_PER_S
"""When the first frame is captured."""

MEDIA_NS = 5 * NS_PER_S
"""Its time as the sender counts."""

IN_STEP_S = 0.06


def line_of(*, codec: str = "pcm_s16le") -> SoundLine:
    return SoundLine(SoundFormat(codec, RATE, "mono", None))


def beeps(second: float) -> bytes:
    """The samples of one packet, which is sent at this second: a beep at the beginning of each second."""
    times = second + np.arange(round(PACKET_S * RATE)) / RATE
    loud = (times + 1e-9) % BEEP_EVERY_S < BEEP_S
    return (loud * np.sin(2 * np.pi * 800 * times) * 20_000).astype("<i2").tobytes()


def results(seconds: float, line: SoundLine | None, *, jitter_s: float = 0.0) -> Iterator[Result]:
    """Frames of a camera: white while it beeps. line: what is told when each of them is captured."""
    random = np.random.default_rng(3)
    for index in range(round(seconds * FPS)):
        time_s = index / FPS
        late_s = float(random.uniform(0, jitter_s)) if index else 0.0
        captured_ns = CAPTURED_NS + round((time_s + late_s) * NS_PER_S)
        if line is not None:
            line.shown(media_ns=MEDIA_NS + round(time_s * NS_PER_S), captured_ns=captured_ns)
        white = (time_s + 1e-9) % BEEP_EVERY_S < BEEP_S
        image = grey(235 if white else 20)
        pts_s = (captured_ns - CAPTURED_NS) / NS_PER_S
        frame = Frame(image, index=index, captured_ns=captured_ns, pts_s=pts_s, epoch=0, source="camera")
        yield Result(frame, Detections.empty(), image=image)


def record(
    path: Path,
    line: SoundLine | None,
    *,
    seconds: float = 4.0,
    heard_s: tuple[float, float] | None = None,
    pace: float = 1.0,
    ahead_s: float = 0.1,
    jitter_s: float = 0.0,
    mode: AudioMode = "copy",
) -> Path:
    """Record a camera that beeps. heard_s: from when to when it sends sound. pace: of its clock of sound.

    ahead_s: how much earlier than its frame the sound comes, at most; less than 0 is later.
    """
    begin_s, end_s = heard_s or (-1.0, seconds)
    sent = 0
    recorder = Recorder(path, fps=FPS, live=True, video=VideoOptions(audio=mode), sound=lambda: line)
    for result in results(seconds, line, jitter_s=jitter_s):
        until_s = min(end_s, result.frame.index / FPS + ahead_s)
        while line is not None and (at_s := begin_s + sent * PACKET_S) <= until_s:
            line.add(beeps(at_s), MEDIA_NS + round(at_s * pace * NS_PER_S))
            sent += 1
        recorder.write(result)
    recorder.close()
    assert len(recorder.recorded_files) == 1
    return path


def sound_of(path: Path) -> tuple[np.ndarray, float]:
    """The samples of a file, from its very beginning, and how many of them are a second."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert isinstance(stream, AudioStream)
        rate = stream.codec_context.sample_rate
        whole = np.zeros(round(60 * rate), np.float32)
        end = 0
        for frame in container.decode(stream):
            samples = frame.to_ndarray()[0]
            begin = round((frame.time or 0.0) * rate)
            whole[begin : begin + len(samples)] = samples
            end = begin + len(samples)
    return whole[:end], rate


def beeps_in(path: Path) -> list[float]:
    """When beeps begin, seconds of the file."""
    samples, rate = sound_of(path)
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    return [float(at) / rate for at, before in zip(loud, [-rate, *loud], strict=False) if at - before > rate // 4]


def flashes_in(path: Path) -> list[float]:
    """When the picture becomes white, seconds of the file."""
    white = [(frame.time or 0.0, float(frame.to_ndarray(format="gray").mean()) > 128) for frame in decoded(path)]
    return [time_s for (time_s, now), (_, before) in zip(white, [(0.0, False), *white], strict=False) if now > before]


def assert_in_step(path: Path, *, least: int) -> None:
    heard, seen = beeps_in(path), flashes_in(path)
    apart = [min(abs(beep - flash) for flash in seen) for beep in heard]
    assert len(heard) >= least
    assert max(apart) < IN_STEP_S, (heard, seen)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm", ".ts"])
def test_lips_are_in_step_in_every_container(ending: str, tmp_path: Path) -> None:
    path = record(tmp_path / f"out{ending}", line_of())
    assert_in_step(path, least=4)


def test_frames_that_jitter_do_not_move_the_sound(tmp_path: Path) -> None:
    path = record(tmp_path / "out.mp4", line_of(), seconds=6.0, jitter_s=0.08)
    apart = np.diff(beeps_in(path))
    assert len(apart) >= 5
    assert np.abs(apart - BEEP_EVERY_S).max() < 0.005


def test_sound_of_another_clock_is_kept_in_step(tmp_path: Path) -> None:
    path = record(tmp_path / "out.mp4", line_of(), seconds=12.0, pace=1.01)
    heard = beeps_in(path)
    assert len(heard) == 12
    assert max(abs(at - number * 1.01) for number, at in enumerate(heard)) < IN_STEP_S


def test_where_sound_is_missing_is_silence(tmp_path: Path) -> None:
    path = record(tmp_path / "out.mp4", line_of(), heard_s=(-1.0, 1.5))
    samples, rate = sound_of(path)
    assert [round(at) for at in beeps_in(path)] == [0, 1]
    assert len(samples) / rate > 3.5
    assert np.abs(samples[round(1.7 * rate) :]).max() < 0.01


def test_sound_that_begins_later_is_in_its_place(tmp_path: Path) -> None:
    path = record(tmp_path / "out.mp4", line_of(), heard_s=(1.5, 9.0))
    assert [round(at) for at in beeps_in(path)] == [2, 3]
    assert_in_step(path, least=2)


@pytest.mark.parametrize("late_s", [0.1, 0.9, 1.8])
def test_sound_that_always_comes_later_than_its_frames_is_waited_for(late_s: float, tmp_path: Path) -> None:
    path = record(tmp_path / "out.mp4", line_of(), seconds=8.0, ahead_s=-late_s)
    assert_in_step(path, least=5)


def test_damaged_packets_are_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    line = line_of(codec="aac")
    path = record(tmp_path / "out.mp4", line)
    samples, _ = sound_of(path)
    assert np.abs(samples).max() < 0.01
    assert "packets of sound are damaged" in caplog.text


def test_sound_that_nobody_can_decode_leaves_the_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = record(tmp_path / "out.mp4", line_of(codec="nothing"))
    with av.open(str(path)) as container:
        assert not container.streams.audio
    assert len(decoded(path)) == 4 * FPS
    assert "no sound" in caplog.text


def test_audio_none_leaves_it_out(tmp_path: Path) -> None:
    with av.open(str(record(tmp_path / "out.mp4", line_of(), mode="none"))) as container:
        assert not container.streams.audio


@pytest.mark.parametrize("sound", ["beeps", "nothing comes"])
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".ts"])
def test_what_is_being_written_can_be_read_up_to_the_last_second(ending: str, sound: str, tmp_path: Path) -> None:
    line = line_of()
    recorder = Recorder(tmp_path / f"out{ending}", fps=FPS, live=True, sound=lambda: line)
    for result in results(4.0, line):
        if sound == "beeps":
            for part in range(2):
                at_s = result.frame.index / FPS + part * PACKET_S
                line.add(beeps(at_s), MEDIA_NS + round(at_s * NS_PER_S))
        recorder.write(result)
    killed = tmp_path / f"killed{ending}"
    shutil.copyfile(tmp_path / f"out.part{ending}", killed)
    recorder.close()
    assert len(decoded(killed)) > 3 * FPS
    samples, rate = sound_of(killed)
    assert len(samples) / rate > 2.9
    if sound == "beeps":
        assert len(beeps_in(killed)) >= 3


def test_a_clip_has_the_sound_of_before_it(tmp_path: Path) -> None:
    line = line_of()
    labels = Labels({1: "person"})
    clips = Clips(
        tmp_path / "clips",
        source="camera",
        condition=Condition("person", labels),
        labels=labels,
        pre_s=1.5,
        post_s=0.5,
        fps=FPS,
        live=True,
        sound=lambda: line,
    )
    seen = Detections.from_raw([[10, 10, 50, 50]], [0.9], [1], size_px=(160, 120))
    for result in results(6.0, line):
        for part in range(2):
            at_s = result.frame.index / FPS + part * PACKET_S
            line.add(beeps(at_s), MEDIA_NS + round(at_s * NS_PER_S))
        is_there = 3.2 < result.frame.index / FPS < 3.4
        clips.write(Result(result.frame, seen if is_there else Detections.empty(), image=result.image))
    clips.close()
    (clip,) = [path for path in clips.recorded_files if path.suffix == ".mp4"]
    assert_in_step(clip, least=2)


def test_no_more_is_kept_than_is_said() -> None:
    line = line_of()
    for number in range(3000):
        line.add(b"x" * 100, number * PACKET_NS)
    kept = line.behind(-1)
    assert kept[-1].number == 2999
    assert kept[-1].media_ns - kept[0].media_ns <= KEPT_NS
    for number in range(3000, 3020):
        line.add(b"x" * (KEPT_BYTES // 8), number * PACKET_NS)
    assert sum(len(packet.data) for packet in line.behind(-1)) <= KEPT_BYTES
    assert [packet.number for packet in line.behind(3017)] == [3018, 3019]


PACKET_NS = round(PACKET_S * NS_PER_S)


def test_a_burst_at_the_beginning_is_not_the_delay() -> None:
    line = line_of()
    assert line.heard_ns(0) is None
    for index in range(26):  # a second that waited, read at once
        line.shown(media_ns=index * NS_PER_S // FPS, captured_ns=CAPTURED_NS + index * 1000)
    for index in range(26, 60):
        line.shown(media_ns=index * NS_PER_S // FPS, captured_ns=CAPTURED_NS + (index - 25) * NS_PER_S // FPS)
    heard_ns = line.heard_ns(NS_PER_S)
    assert heard_ns is not None
    assert abs(heard_ns - CAPTURED_NS) < NS_PER_S // 50


def test_a_sender_whose_time_begins_anew_is_followed() -> None:
    line = line_of()
    for index in range(500):
        media_ns = (index if index < 400 else index - 400) * NS_PER_S // FPS
        line.shown(media_ns=media_ns, captured_ns=CAPTURED_NS + index * NS_PER_S // FPS)
    assert line.heard_ns(0) == CAPTURED_NS + 400 * NS_PER_S // FPS
