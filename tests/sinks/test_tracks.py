"""The sound of a file in its recording: all of it, at its moment, and never at the cost of the pictures."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.pyav import AudioFrame, AudioResampler, AudioStream, Packet, VideoStream, av
from streamer.sinks.recorder import Recorder
from streamer.sinks.tracks import CopiedTrack
from tests.sinks.scenes import decoded, grey, result

RATE_HZ = 48_000

Samples = NDArray[np.float32]

TENTHS_S = tuple(np.arange(30) / 10)


def silence(length_s: float, channels: int = 1) -> Samples:
    return np.zeros((channels, round(length_s * RATE_HZ)), np.float32)


def click(at_s: float, *, length_s: float) -> Samples:
    """Silence with 20 ms of noise in it."""
    samples = silence(length_s)
    begin = round(at_s * RATE_HZ)
    samples[0, begin : begin + RATE_HZ // 50] = np.random.default_rng(1).uniform(-0.5, 0.5, RATE_HZ // 50)
    return samples


def write_clip(
    path: Path,
    samples: Samples,
    *,
    codec: str,
    layout: str = "mono",
    times_s: tuple[float, ...] = TENTHS_S,
    spoiled: int | None = None,
) -> Path:
    """A video with a frame at each of `times_s`, and sound; the packet of sound with the number `spoiled` is noise."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream(codec, rate=RATE_HZ, layout=layout)
        assert isinstance(sound, AudioStream)
        packets: list[Packet] = []
        for number, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(grey(number), format="bgr24").reformat(64, 48, "yuv420p")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            packets += video.encode(frame)
        packets += video.encode(None)
        heard = AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        heard.sample_rate, heard.pts, heard.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        coded = [*sound.encode(heard), *sound.encode(None)]
        if spoiled is not None:
            coded[spoiled] = damaged(coded[spoiled])
        for packet in sorted([*packets, *coded], key=lambda one: float((one.dts or 0) * one.time_base)):
            container.mux(packet)
    return path


def damaged(packet: Packet) -> Packet:
    noise = Packet(b"\xff" * packet.size)
    noise.pts, noise.dts, noise.duration = packet.pts, packet.dts, packet.duration
    noise.time_base, noise.stream = packet.time_base, packet.stream
    return noise


def record(clip: Path, out: Path, times_s: tuple[float, ...] = TENTHS_S) -> Path:
    recorder = Recorder(out, from_files=True, fps=1 / (times_s[1] - times_s[0]))
    for number, time_s in enumerate(times_s):
        recorder.write(result(grey(number), number, pts_s=time_s, source=str(clip)))
    recorder.close()
    return out


def heard(path: Path) -> tuple[str, list[tuple[float, Samples]]]:
    """The codec, and each piece of sound, as mono, with its time."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        pieces = []
        for frame in container.decode(stream):
            mono = AudioResampler(format="flt", layout="mono", rate=RATE_HZ).resample(frame)[0].to_ndarray()[0]
            pieces.append((frame.time or 0.0, mono.astype(np.float32)))
        return stream.codec_context.codec.canonical_name, pieces


def loudest_s(path: Path) -> float:
    for time_s, samples in heard(path)[1]:
        if (loud := np.flatnonzero(np.abs(samples) > 0.1)).size:
            return time_s + float(loud[0]) / RATE_HZ
    raise AssertionError("nothing is heard")


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".ts"])
def test_aac_of_a_transport_stream_is_copied_into_every_container(tmp_path: Path, ending: str) -> None:
    clip = write_clip(tmp_path / "in.ts", click(1.0, length_s=3), codec="aac")
    out = record(clip, tmp_path / f"out{ending}")
    codec, pieces = heard(out)
    assert codec == "aac"
    assert sum(samples.size for _, samples in pieces) / RATE_HZ == pytest.approx(3, abs=0.06)
    with av.open(str(out)) as container:
        first_s = next(container.decode(video=0)).time or 0.0
    assert loudest_s(out) - first_s == pytest.approx(1.0, abs=0.015)


@pytest.mark.parametrize(("ending", "frame_s"), [(".mp4", 1.0), (".mp4", 2.5), (".mkv", 1.0), (".webm", 0.5)])
def test_sound_between_slow_frames_does_not_move_them(tmp_path: Path, ending: str, frame_s: float) -> None:
    times_s = (0.0, frame_s, 2.2 * frame_s, 3 * frame_s, 3.1 * frame_s)
    clip = write_clip(tmp_path / "in.mkv", silence(3 * frame_s), codec="libopus", times_s=times_s)
    out = record(clip, tmp_path / f"out{ending}", times_s)
    assert [frame.time for frame in decoded(out)] == pytest.approx(times_s, abs=1e-3)
    with av.open(str(out)) as container:
        assert 3.1 * frame_s < (container.duration or 0) / av.time_base < 3.1 * frame_s + 0.3


def test_sound_that_begins_inside_a_long_packet_is_in_step(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mkv", click(2.0, length_s=3), codec="wavpack")
    times_s = TENTHS_S[15:]
    assert loudest_s(record(clip, tmp_path / "out.mp4", times_s)) == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
@pytest.mark.parametrize(("layout", "codec"), [("5.1", "pcm_s16le"), ("5.1(side)", "wavpack"), ("4.0", "wavpack")])
def test_channels_that_an_encoder_does_not_know_by_name_are_kept(
    tmp_path: Path, ending: str, layout: str, codec: str
) -> None:
    channels = av.AudioLayout(layout).nb_channels
    clip = write_clip(tmp_path / "in.mkv", silence(3, channels), codec=codec, layout=layout)
    with av.open(str(record(clip, tmp_path / f"out{ending}"))) as container:
        assert container.streams.audio[0].codec_context.channels == channels


def test_a_damaged_packet_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = write_clip(tmp_path / "in.mp4", click(2.0, length_s=3), codec="aac", spoiled=20)
    out = record(clip, tmp_path / "out.mp4")
    assert "1 packets of sound are damaged and left out" in caplog.text
    assert len(decoded(out)) == 30
    assert loudest_s(out) == pytest.approx(2.0, abs=0.015)


def test_timestamps_that_go_back_or_leap_are_not_followed(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", silence(1), codec="aac")
    with av.open(str(clip)) as container, av.open(str(tmp_path / "out.mp4"), "w") as target:
        stream = container.streams.audio[0]
        made = target.add_stream_from_template(stream)
        track = CopiedTrack(stream, made, hides_start=True, bare=True)
        packets: list[Any] = [packet for packet in container.demux(stream) if packet.size][:9]
        step_s = 1024 / RATE_HZ
        for packet, place in zip(packets, (0, 1, 2, 0.01, 1, 5, 6, 1e9, 7), strict=True):
            track.add(packet, place * step_s)
        given = [float((packet.pts or 0) * packet.time_base) / step_s for packet in track.until(100.0)]
    assert given == pytest.approx([0, 1, 2, 3, 4, 5, 6, 7, 8], abs=0.01)


def test_the_last_frame_ends_where_the_file_says(tmp_path: Path) -> None:
    times_s = (0.0, 0.5, 1.0, 1.1)
    clip = write_clip(tmp_path / "in.mp4", silence(1.3), codec="aac", times_s=times_s)
    assert seen_s(record(clip, tmp_path / "out.mp4", times_s)) == pytest.approx(seen_s(clip), abs=0.001)


def seen_s(path: Path) -> float:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        return float((video.duration or 0) * (video.time_base or 0))
