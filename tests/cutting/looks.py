"""What is in a file, as a decoder that begins at its beginning shows it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from streamer.pyav import VideoFrame, av
from tests.clips import write_clip


@dataclass(frozen=True)
class Look:
    """Pictures by when they are shown, seconds since the first, and the first and last moment of each sound track."""

    times_s: list[float]
    digests: list[str]
    sounds_s: list[tuple[float, float]]
    rotation: int
    colours: tuple[int, int, int, int]

    def part(self, start_s: float, end_s: float) -> list[str]:
        """The pictures that are shown from the start until before the end."""
        return [
            digest for at, digest in zip(self.times_s, self.digests, strict=True) if start_s - 5e-4 <= at < end_s - 1e-6
        ]


def look(path: Path) -> Look:
    """Decode all of `path`."""
    with av.open(str(path), metadata_errors="ignore") as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        frames = [(_at(frame), _digest(frame), frame.rotation) for frame in container.decode(video)]
        colours = (video.color_range, video.color_primaries, video.color_trc, video.colorspace)
    origin = frames[0][0]
    return Look(
        times_s=[float(at - origin) for at, _, _ in frames],
        digests=[digest for _, digest, _ in frames],
        sounds_s=[_sound(path, number, origin) for number in range(_sound_tracks(path))],
        rotation=frames[0][2],
        colours=colours,
    )


def _at(frame: VideoFrame) -> Fraction:
    assert frame.pts is not None
    assert frame.time_base is not None
    return frame.pts * frame.time_base


def _digest(frame: VideoFrame) -> str:
    """Of the pixels, without the padding that lines have."""
    digest = hashlib.sha256()
    for plane, component in zip(frame.planes, frame.format.components, strict=False):
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        digest.update(lines[:, : plane.width * (2 if component.bits > 8 else 1)].tobytes())
    return digest.hexdigest()


def _sound_tracks(path: Path) -> int:
    with av.open(str(path), metadata_errors="ignore") as container:
        return len(container.streams.audio)


def _sound(path: Path, number: int, origin: Fraction) -> tuple[float, float]:
    with av.open(str(path), metadata_errors="ignore") as container:
        frames = [
            (frame.pts * frame.time_base, Fraction(frame.samples, frame.sample_rate))
            for frame in container.decode(container.streams.audio[number])
            if frame.pts is not None and frame.time_base is not None
        ]
    (first, _), (last, length) = frames[0], frames[-1]
    return float(first - origin), float(last + length - origin)


def write_rich(path: Path, *, subtitles: str, seconds: int = 4, rotation: int = 0) -> Path:
    """A clip of numbered frames, 10 a second, with two tracks of sound, subtitles, chapters, titles and languages."""
    plain = write_clip(path.with_name("plain.mkv"), frames=10 * seconds, key_every=12, rotation=rotation)
    with av.open(str(plain)) as source, av.open(str(path), "w") as rich:
        video = rich.add_stream_from_template(source.streams.video[0], opaque=True)
        tracks = [rich.add_stream("aac", rate=8000, layout="mono") for _ in range(2)]
        text = rich.add_mux_stream(subtitles)
        text.time_base = Fraction(1, 1000)
        rich.metadata["title"] = "A yard"
        for stream, language in zip((*tracks, text), ("eng", "deu", "fra"), strict=True):
            stream.metadata["language"] = language
        rich.set_chapters(
            [
                {"id": n, "start": n * 1000, "end": n * 1000 + 1000, "time_base": Fraction(1, 1000), "metadata": meta}
                for n, meta in enumerate({"title": f"second {n}"} for n in range(seconds))
            ]
        )
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                rich.mux(packet)
        for track in tracks:
            _write_tone(rich, track, seconds=seconds)
        for n in range(seconds):
            line: av.Packet[av.stream.Stream] = av.Packet(_subtitle(f"line {n}", subtitles))
            line.pts = line.dts = 1000 * n + 200
            line.duration, line.time_base, line.stream = 600, Fraction(1, 1000), text
            rich.mux(line)
    return path


def _subtitle(text: str, codec: str) -> bytes:
    """As the container holds it: 3GPP text has its length before it."""
    data = text.encode()
    return len(data).to_bytes(2, "big") + data if codec == "mov_text" else data


def _write_tone(container: "av.container.OutputContainer", track: "av.AudioStream", *, seconds: int) -> None:
    for start in range(0, 8000 * seconds, 1024):
        samples = np.sin(np.arange(start, start + 1024, dtype=np.float32) * 0.3)[None]
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
        container.mux(track.encode(frame))
    container.mux(track.encode(None))


def chapters(path: Path) -> list[tuple[str, float, float]]:
    """The chapters of a file: title, begin and end in seconds."""
    with av.open(str(path)) as container:
        return [
            (
                one["metadata"].get("title", ""),
                float(one["start"] * one["time_base"]),
                float(one["end"] * one["time_base"]),
            )
            for one in container.chapters()
            if one["time_base"] is not None
        ]


def subtitles(path: Path) -> Sequence[tuple[float, float]]:
    """When each subtitle is shown, from and until, in seconds; empty ones, which mp4 puts between, are none."""
    with av.open(str(path)) as container:
        return [
            (float(packet.pts * packet.time_base), float((packet.pts + (packet.duration or 0)) * packet.time_base))
            for packet in container.demux(container.streams.subtitles[0])
            if packet.size > 2 and packet.pts is not None and packet.time_base is not None
        ]
