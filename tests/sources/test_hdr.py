import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import SourceOpenError
from streamer.frame import Frame
from streamer.pyav import av
from streamer.sources import hdr, open_source, pyav_decoder
from streamer.sources.hdr import HdrToSdr, Transfer
from streamer.sources.options import SourceOptions
from streamer.sources.reel import open_decoder
from tests.conftest import shared

WHITE = 65280
DIFFUSE_WHITE, GREY_CARD = 193, 97
NUMBERS = {"PQ": 16, "HLG": 18, "BT.709": 1}
BOTH: tuple[Transfer, Transfer] = ("PQ", "HLG")

each_transfer = pytest.mark.parametrize("transfer", BOTH)


def _codes(signal: object) -> NDArray[np.uint16]:
    """(1, N, 3) red-green-blue of (N, 3) or, grey, (N,) of 0..1."""
    values = np.asarray(signal, np.float64)
    columns = values if values.ndim == 2 else np.repeat(values[:, np.newaxis], 3, axis=1)
    return np.rint(columns[np.newaxis] * WHITE).astype(np.uint16)


def _shown(transfer: Transfer, signal: object, *, primaries: int = hdr.BT2020) -> NDArray[np.int64]:
    """(N, 3) blue-green-red."""
    return np.asarray(HdrToSdr(transfer, primaries=primaries).convert(_codes(signal))[0], np.int64)


@pytest.mark.parametrize(
    ("transfer", "signal", "grey"),
    [
        ("PQ", 0.0, 0),
        ("PQ", 0.3793, GREY_CARD),  # 26 cd/m2, the grey card of BT.2408
        ("PQ", 0.5807, DIFFUSE_WHITE),  # 203 cd/m2
        ("PQ", 0.7518, 255),  # 1000 cd/m2
        ("PQ", 1.0, 255),
        ("HLG", 0.0, 0),
        ("HLG", 0.38, GREY_CARD),
        ("HLG", 0.75, DIFFUSE_WHITE),
        ("HLG", 1.0, 255),
    ],
)
def test_the_levels_of_bt_2408_become_the_stated_greys(transfer: Transfer, signal: float, grey: int) -> None:
    assert _shown(transfer, [signal])[0] == pytest.approx([grey] * 3, abs=1)


@each_transfer
def test_a_ramp_of_ten_bits_stays_neutral_and_never_falls(transfer: Transfer) -> None:
    shown = _shown(transfer, np.arange(1024) / 1023)
    assert np.ptp(shown, axis=1).max() == 0
    assert np.diff(shown[:, 0]).min() >= 0
    assert np.diff(shown[:, 0]).max() <= 3


@each_transfer
@pytest.mark.parametrize("channel", [0, 1, 2], ids=["red", "green", "blue"])
def test_what_lies_outside_of_the_gamut_is_clipped_and_does_not_wrap(transfer: Transfer, channel: int) -> None:
    signal = np.zeros((1024, 3))
    signal[:, channel] = np.arange(1024) / 1023
    own, *others = np.roll(_shown(transfer, signal)[:, ::-1], -channel, axis=1).T
    assert np.diff(own).min() >= 0
    assert own[-1] > 230
    assert all((other <= own).all() for other in others)
    dim = own < 150
    assert all((other[dim] == 0).all() for other in others)


@each_transfer
def test_colours_are_those_of_the_formulas(transfer: Transfer) -> None:
    signal = np.random.default_rng(7).random((4000, 3))
    wanted = _by_formulas(transfer, signal)
    apart = np.abs(_shown(transfer, signal) - wanted)
    assert apart[wanted > 40].max() <= 1
    assert apart.max() <= 5  # next to black, the fourth digit of the printed matrix is a step or more


def _by_formulas(transfer: Transfer, signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) blue-green-red, without a table; numbers as BT.2100, BT.2087 and vf_tonemap.c print them."""
    if transfer == "PQ":
        root = signal ** (1 / 78.84375)
        nits = 10000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    else:
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        nits = 1000 * (scene @ [[0.2627], [0.6780], [0.0593]]) ** 0.2 * scene
    to_bt709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
    light = nits @ to_bt709.T / 100
    luma = np.maximum(light @ [[0.2126], [0.7152], [0.0722]], 1e-6)
    overbright = np.maximum(luma - 2, 1e-6) / luma
    light = light * (1 - overbright) + luma * overbright
    largest = np.maximum(light.max(axis=1, keepdims=True), 1e-6)
    light *= np.minimum(_hable(largest) / _hable(np.array(10.0)), 1) / largest
    return np.asarray(255 * np.clip(light, 0, 1)[:, ::-1] ** (1 / 2.4))


def _hable(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((x * (x * 0.15 + 0.05) + 0.004) / (x * (x * 0.15 + 0.5) + 0.06) - 0.02 / 0.3)


def test_primaries_of_bt_709_need_no_matrix_and_unknown_ones_are_bt_2020() -> None:
    red = [[0.5, 0.0, 0.0]]
    assert (_shown("PQ", red, primaries=1)[0][:2] <= 1).all()
    assert _shown("PQ", red, primaries=2).tolist() == _shown("PQ", red).tolist()
    assert _shown("PQ", red, primaries=12)[0][2] > _shown("PQ", red, primaries=1)[0][2]


@each_transfer
def test_an_opencv_that_looks_up_8_bits_only_shows_the_same(
    transfer: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = np.random.default_rng(7).random((100, 3))
    by_opencv = _shown(transfer, signal)
    monkeypatch.setattr(hdr, "_OPENCV_LOOKS_UP_16_BITS", False)
    assert _shown(transfer, signal).tolist() == by_opencv.tolist()


def test_a_picture_of_any_height_is_converted_to_its_last_row() -> None:
    codes = np.random.default_rng(7).integers(0, 65536, (37, 5, 3)).astype(np.uint16)
    whole = HdrToSdr("HLG").convert(codes)
    assert whole.flags.c_contiguous
    assert all((HdrToSdr("HLG").convert(codes[y : y + 1]) == whole[y]).all() for y in range(37))


def _write_clip(
    path: Path, transfer: str, *, pixels: str = "yuv420p10le", frames: int = 4, rotation: int = 0, wide: int = 9
) -> Path:
    """A left half that grows brighter from frame to frame, and a right half of diffuse white of PQ."""
    deep = pixels != "yuv420p"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        context = stream.codec_context
        context.gop_size = 5
        context.color_trc, context.color_primaries, context.colorspace = NUMBERS[transfer], wide, wide
        context.color_range = 1
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            planes = np.full((72, 64), 512, np.uint16)
            planes[:48, :32] = 200 + 20 * number
            planes[:48, 32:] = 573
            image = planes if deep else (planes >> 2).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format=pixels)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _frames(path: Path, **options: float) -> list[Frame]:
    return list(open_source(str(path), SourceOptions(**options)).frames())  # type: ignore[arg-type]


@each_transfer
def test_a_file_of_hdr_is_shown_as_sdr_and_says_so_once(
    tmp_path: Path, transfer: Transfer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source = open_source(str(_write_clip(tmp_path / "clip.mp4", transfer)))
    assert source.info.decoder == f"PyAV (HDR, {transfer}, shown as SDR)"
    assert source.info.frame_count == 4
    assert sum("shown as SDR" in record.getMessage() for record in caplog.records) == 1
    frames = list(source.frames())
    assert [frame.pts_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    wanted = _shown(transfer, (np.array([200, 220, 240, 260, 573]) - 64) / 876)[:, 0]
    assert [int(frame.image[24, 8, 1]) for frame in frames] == pytest.approx(wanted[:4].tolist(), abs=2)
    assert [int(frame.image[24, 56, 1]) for frame in frames] == pytest.approx([int(wanted[4])] * 4, abs=2)


@pytest.mark.parametrize("start_s", [0.25, 1.35, 2.9])
def test_a_start_in_a_file_of_hdr_is_exact(tmp_path: Path, start_s: float) -> None:
    clip = _write_clip(tmp_path / "clip.mkv", "PQ", frames=30)
    whole = [frame for frame in _frames(clip) if frame.pts_s is not None and frame.pts_s >= start_s - 1e-6]
    part = _frames(clip, start_s=start_s)
    assert [frame.pts_s for frame in part] == pytest.approx([frame.pts_s for frame in whole])
    assert all((one.image == other.image).all() for one, other in zip(part, whole, strict=True))


def test_a_file_of_hdr_is_turned_upright(tmp_path: Path) -> None:
    frame = _frames(_write_clip(tmp_path / "clip.mp4", "PQ", rotation=90))[0]
    assert frame.size_px == (48, 64)
    assert frame.image[8, 24, 1] > frame.image[56, 24, 1]  # what was on the right is above


@pytest.mark.parametrize(("transfer", "pixels"), [("BT.709", "yuv420p10le"), ("HLG", "yuv420p")])
def test_ten_bits_of_sdr_and_eight_of_whatever_are_opencvs(tmp_path: Path, transfer: str, pixels: str) -> None:
    decoder, _ = open_decoder(str(_write_clip(tmp_path / "clip.mp4", transfer, pixels=pixels, wide=1)))
    decoder.close()
    assert decoder.name == "OpenCV"


def test_ten_bits_of_sdr_are_shown_as_opencv_has_them(tmp_path: Path) -> None:
    clip = _write_clip(tmp_path / "clip.mp4", "BT.709", wide=1)
    capture = cv2.VideoCapture(str(clip))
    _, image = capture.read()
    capture.release()
    assert (_frames(clip)[0].image == image).all()


def test_hdr_that_pyav_cannot_read_is_left_to_opencv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, **_: object) -> None:
        raise SourceOpenError("unreadable or truncated", where=path)

    monkeypatch.setattr(pyav_decoder, "PyAvDecoder", refuse)
    decoder, _ = open_decoder(str(_write_clip(tmp_path / "clip.mp4", "PQ")))  # its first picture would take seconds
    decoder.close()
    assert decoder.name == "OpenCV"


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("name", "decoder"),
    [
        ("media3_dolbyVision-hdr.MOV", "PyAV (HDR, HLG, shown as SDR)"),
        ("media3_sample_av1.mkv", "PyAV (HDR, HLG, shown as SDR)"),
        ("torchcodec_h264_10bits.mp4", "OpenCV"),
        ("media3_sample_android_slow_motion.mp4", "OpenCV"),
    ],
)
def test_real_clips_go_the_way_that_their_tags_ask_for(name: str, decoder: str) -> None:
    source = open_source(str(shared(f"media/{name}")))
    source.close()
    assert source.info.decoder == decoder
