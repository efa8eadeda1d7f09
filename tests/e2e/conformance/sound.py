"""A track of sound: what it says it is, what can be heard, and whether two of them are the same at the same moments."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.pyav import av

HEARD_HZ = 16_000
"""Tracks are compared as mono at this rate, whatever theirs is."""

JUMP_S = 0.005
"""Timestamps that disagree by less with the number of samples are rounding, not a gap."""

SEARCH_S = 2.0
"""How far apart the same sound is looked for."""

SILENCE = 1e-4
"""Below this, of 1, nothing is heard that could be compared."""

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, repr=False)
class Track:
    """One track. start_s, end_s: of what is heard, as the container counts. packets: a hash of each, in order."""

    codec: str
    channels: int
    rate_hz: int
    language: str
    start_s: float
    end_s: float
    samples: Samples
    packets: tuple[bytes, ...]
    damaged: bool

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def __str__(self) -> str:
        return f"{self.codec} {self.channels}ch {self.rate_hz}"


class Ear:
    """Takes the packets of one stream, in order, and makes a Track of them."""

    def __init__(self, stream: av.AudioStream) -> None:
        self._stream = stream
        self._resampler = av.AudioResampler(format="flt", layout="mono", rate=HEARD_HZ)
        self._pieces: list[Samples] = []
        self._heard = 0
        self._packets: list[bytes] = []
        self._start_s: float | None = None
        self._end_s = 0.0
        self._damaged = False

    def take(self, packet: "av.Packet[av.AudioStream]") -> None:
        """Decode a packet; after what cannot be decoded there is nothing more to hear, but the packets are kept."""
        if packet.size:
            self._packets.append(hashlib.sha1(bytes(packet), usedforsecurity=False).digest())
        if self._damaged:
            return
        try:
            for frame in packet.decode():
                self._listen(frame)
        except (av.FFmpegError, ValueError):
            self._damaged = True

    def track(self) -> Track:
        """What came of it."""
        context = self._stream.codec_context
        if self._start_s is not None and not self._damaged:
            self._keep(self._resampler.resample(None))
        return Track(
            codec=context.codec.canonical_name,
            channels=context.layout.nb_channels,
            rate_hz=context.sample_rate,
            language=language_of(self._stream.metadata),
            start_s=self._start_s or 0.0,
            end_s=self._end_s,
            samples=np.concatenate(self._pieces) if self._pieces else np.empty(0, np.float32),
            packets=tuple(self._packets),
            damaged=self._damaged,
        )

    def _listen(self, frame: av.AudioFrame) -> None:
        at_s = self._end_s if frame.time is None else frame.time
        if self._start_s is None:
            self._start_s = self._end_s = at_s
        if at_s < self._end_s - frame.samples / frame.sample_rate / 2:
            at_s = self._end_s  # nobody means it that early, whatever a damaged header makes of it
        if abs(at_s - self._end_s) > JUMP_S:
            self._keep(self._resampler.resample(None))
            self._resampler = av.AudioResampler(format="flt", layout="mono", rate=HEARD_HZ)
            self._move_to(round((at_s - self._start_s) * HEARD_HZ))
            self._end_s = at_s
        self._end_s += frame.samples / frame.sample_rate
        self._keep(self._resampler.resample(frame))

    def _keep(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            piece = frame.to_ndarray().reshape(-1).astype(np.float32)
            self._pieces.append(piece)
            self._heard += piece.size

    def _move_to(self, position: int) -> None:
        """A gap is silence; what comes twice is heard in its second form."""
        if position >= self._heard:
            self._pieces.append(np.zeros(position - self._heard, np.float32))
        else:
            self._pieces = [np.concatenate(self._pieces)[: max(0, position)]]
        self._heard = max(0, position)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two tracks are. late_ms: how much later the second one is. similarity: 1 is the same sound.

    sure: False where the sound repeats itself, so that it would fit at other places just as well.
    """

    late_ms: float
    similarity: float
    sure: bool


def likeness(one: Track, other: Track, *, zero_s: tuple[float, float]) -> Likeness | None:
    """Compare what is heard, each counted from its `zero_s`; None where one of them is silent."""
    starts = [round((track.start_s - zero) * HEARD_HZ) for track, zero in zip((one, other), zero_s, strict=True)]
    first, second = _without_bass(one.samples), _without_bass(other.samples)
    if min(_loudness(first), _loudness(second)) < SILENCE:
        return None
    length = 1 << int(np.ceil(np.log2(first.size + second.size)))
    spectrum = np.conj(np.fft.rfft(first, length)) * np.fft.rfft(second, length)
    products = np.fft.irfft(spectrum, length)
    base = starts[0] - starts[1]  # where samples of the same moment meet
    reach = round(SEARCH_S * HEARD_HZ)
    lags = np.arange(-reach, reach + 1)
    lags = lags[(base + lags > -first.size) & (base + lags < second.size)]
    if not lags.size:
        return Likeness(0.0, 0.0, sure=True)
    values = products[(base + lags) % length]
    best = int(np.argmax(values))
    near = np.abs(lags - lags[best]) < HEARD_HZ * 0.02
    rival = float(values[~near].max(initial=0.0))
    return Likeness(
        late_ms=float(lags[best]) / HEARD_HZ * 1000,
        similarity=_similarity(first, second, base + int(lags[best])),
        sure=rival < 0.9 * float(values[best]),
    )


def language_of(metadata: dict[str, str]) -> str:
    """The language that a stream is tagged with; empty where it is none or undetermined."""
    language = next((value for key, value in metadata.items() if key.lower() == "language"), "")
    return "" if language == "und" else language


def _without_bass(samples: Samples) -> Samples:
    """Less its mean over 20 ms: what is slower, an offset above all, says nothing of the moment."""
    width = HEARD_HZ // 50
    if samples.size < width:
        return samples - samples.mean(dtype=np.float32) if samples.size else samples
    return samples - np.convolve(samples, np.full(width, 1 / width, np.float32), "same")


def _loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples)))) if samples.size else 0.0


def _similarity(one: Samples, other: Samples, offset: int) -> float:
    """Normalised correlation of the part that both have, `other` read from `offset` on."""
    first, second = one[max(0, -offset) :], other[max(0, offset) :]
    length = min(first.size, second.size)
    first, second = first[:length].astype(np.float64), second[:length].astype(np.float64)
    power = float(np.sqrt(np.sum(first**2) * np.sum(second**2)))
    return float(np.sum(first * second)) / power if power else 0.0
