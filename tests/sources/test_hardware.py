"""Decoding in hardware: which there is, that its pictures are those of software, and what happens when it fails.

There is no GPU here. What decodes is FFmpeg's own way to NVIDIA's decoder, on a driver that is none: fake_nvdec.c.
"""

import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import ConfigError, SourceOpenError
from streamer.pyav import VideoFrame, av
from streamer.sources import SourceOptions
from streamer.sources.converting import Converter
from streamer.sources.file import FileSource
from streamer.sources.hardware import Hardware, codecs_of, device_kinds, find_hardware, problem_of
from streamer.sources.reel import open_pyav
from streamer.sources.swapping import SwappingDecoder
from tests.clips import write_clip
from tests.nvdec import Read, built, read, write_pictures
from tests.streams import free_port, needs_ffmpeg, wait_listening

FRAMES = 30
SIZE_PX = (160, 128)
"""Whole macroblocks: what is decoded is no larger than what is shown."""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("driver"))


def encode(
    path: Path, *, codec: str = "libx264", pixels: str = "yuv420p", options: str = "", filters: str = ""
) -> Path:
    """A test picture. Without B-frames, so that frames are decoded in the order in which they are shown."""
    needs_ffmpeg()
    picture = f"testsrc2=size={SIZE_PX[0]}x{SIZE_PX[1]}:rate=25,format={pixels}{filters}"
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", picture, "-frames:v", str(FRAMES)]
    told = ["-c:v", codec, "-pix_fmt", pixels, "-bf", "0", "-g", "12", *options.split(), str(path)]
    subprocess.run([*command, *told], check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4")


def in_software(clip: Path) -> tuple[list[str], list[float | None]]:
    """Digests and times of what PyAV decodes in software."""
    frames = list(FileSource(str(clip), open_decoder=open_pyav).frames())
    digests = [hashlib.sha256(one.image.tobytes() + repr(one.image.shape).encode()).hexdigest() for one in frames]
    return digests, [one.pts_s for one in frames]


def decoded(clip: Path, hwaccel: str, driver: Path, **faults: str) -> Read:
    pictures = write_pictures(clip, clip.with_suffix(".raw"))
    return read(str(clip), hwaccel, driver=driver, pictures=pictures, faults=faults)


@pytest.mark.parametrize(
    ("codec", "pixels", "options", "filters"),
    [
        ("libx264", "yuv420p", "", ""),
        ("libx264", "yuvj420p", "-color_range pc", ""),
        ("libx264", "yuv420p", "-colorspace bt709 -color_primaries bt709 -color_trc bt709", ""),
        ("libx265", "yuv420p10le", "-x265-params log-level=none:bframes=0", ""),
        (
            "libx265",
            "yuv420p10le",
            "-x265-params log-level=none:bframes=0:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
            "",
        ),
    ],
    ids=["limited range", "full range", "BT.709", "10 bits", "HDR"],
)
def test_pictures_of_hardware_are_those_of_software(
    codec: str, pixels: str, options: str, filters: str, driver: Path, tmp_path: Path
) -> None:
    clip = encode(tmp_path / "clip.mp4", codec=codec, pixels=pixels, options=options, filters=filters)
    got = decoded(clip, "cuda", driver)
    assert not got.error
    assert "in hardware: cuda" in got.decoder
    assert (got.images, got.times_s) == in_software(clip)


def test_a_turned_video_is_upright_from_hardware_too(driver: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "turned.mp4", frames=3, size_px=SIZE_PX, rotation=90, key_every=1)
    got = decoded(clip, "cuda", driver)
    assert "in hardware" in got.decoder
    assert (got.images, got.times_s) == in_software(clip)


@pytest.mark.parametrize("first_bad", [0, 7, 20])
def test_auto_goes_on_in_software_where_hardware_fails(first_bad: int, clip: Path, driver: Path) -> None:
    got = decoded(clip, "auto", driver, FAKE_NVDEC_FAILS_AT=str(first_bad))
    assert not got.error
    assert len(got.images) == FRAMES
    assert got.log.count("cuda failed to decode") == 1
    if first_bad:  # else OpenCV reads it, as ever
        assert (got.images, got.times_s) == in_software(clip)


def test_what_was_demanded_and_fails_ends_the_source(clip: Path, driver: Path) -> None:
    got = decoded(clip, "cuda", driver, FAKE_NVDEC_FAILS_AT="7")
    assert got.images == in_software(clip)[0][:7]
    assert got.exit_code == 3
    assert "cuda failed to decode" in got.error
    assert "--hwaccel auto" in got.error


def test_a_file_that_hardware_does_not_take_is_opened_as_ever_by_auto(clip: Path, driver: Path) -> None:
    got = decoded(clip, "auto", driver, FAKE_NVDEC_REFUSES="1")
    assert (got.decoder, len(got.images), got.error) == ("OpenCV", FRAMES, "")


def test_a_file_that_demanded_hardware_does_not_take_is_refused(clip: Path, driver: Path) -> None:
    got = decoded(clip, "cuda:0", driver, FAKE_NVDEC_REFUSES="1")
    assert got.exit_code == 3
    assert "cuda:0 does not decode this (h264" in got.error


def test_a_device_that_is_not_there_is_refused_and_others_are_named(clip: Path, driver: Path) -> None:
    got = decoded(clip, "cuda:3", driver)
    assert (got.exit_code, got.images) == (3, [])
    assert "here there is cuda" in got.error


@contextmanager
def served(clip: Path) -> Iterator[str]:
    """The clip's packets as MPEG-TS over TCP, at their own speed, for one client; the address."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-i", str(clip), "-c", "copy", "-f", "mpegts"]
    with subprocess.Popen([*command, f"{address}?listen=1"], stderr=subprocess.DEVNULL) as process:
        try:
            wait_listening(port)
            yield address
        finally:
            process.kill()


@pytest.mark.parametrize(("hwaccel", "faults"), [("cuda", {}), ("auto", {}), ("auto", {"FAKE_NVDEC_FAILS_AT": "7"})])
def test_a_stream_from_hardware_is_whole(hwaccel: str, faults: dict[str, str], clip: Path, driver: Path) -> None:
    pictures = write_pictures(clip, clip.with_suffix(".raw"))
    with served(clip) as address:
        got = read(address, hwaccel, driver=driver, pictures=pictures, faults=faults)
    assert not got.error
    assert "decoded in hardware: cuda" in got.log
    if not faults:  # else it may have failed before the first frame was taken
        assert got.decoder == "PyAV, h264 over tcp, in hardware: cuda"
    assert got.images == in_software(clip)[0]
    assert got.log.count("software goes on") == len(faults)


@pytest.mark.parametrize("fault", [{"FAKE_NVDEC_REFUSES": "1"}, {"FAKE_NVDEC_FAILS_AT": "0"}])
def test_a_stream_that_hardware_never_decodes(fault: dict[str, str], clip: Path, driver: Path) -> None:
    pictures = write_pictures(clip, clip.with_suffix(".raw"))
    with served(clip) as address:
        by_auto = read(address, "auto", driver=driver, pictures=pictures, faults=fault)
    assert (by_auto.images, by_auto.error) == (in_software(clip)[0], "")
    assert "in hardware" not in by_auto.decoder


@pytest.mark.parametrize("fault", [{"FAKE_NVDEC_REFUSES": "1"}, {"FAKE_NVDEC_FAILS_AT": "0"}])
def test_a_stream_that_demanded_hardware_does_not_decode_does_not_open(
    fault: dict[str, str], clip: Path, driver: Path
) -> None:
    with served(clip) as address:
        got = read(address, "cuda", driver=driver, faults=fault)
    assert (got.exit_code, got.images) == (3, [])
    assert "cuda does not decode this" in got.error


@pytest.mark.parametrize(
    ("hwaccel", "faults", "frames", "exit_code"),
    [
        ("cuda", {}, FRAMES, 0),
        ("auto", {}, FRAMES, 0),
        ("cuda", {"FAKE_NVDEC_REFUSES": "1"}, 0, 3),
        ("cuda", {"FAKE_NVDEC_FAILS_AT": "7"}, 7, 3),
    ],
    ids=["named", "auto", "not taken", "fails"],
)
def test_standard_input_is_decoded_by_what_was_named(
    hwaccel: str, faults: dict[str, str], frames: int, exit_code: int, driver: Path, tmp_path: Path
) -> None:
    clip = encode(tmp_path / "clip.ts")
    pictures = write_pictures(clip, tmp_path / "clip.raw")
    got = read("-", hwaccel, driver=driver, pictures=pictures, faults=faults, piped=clip)
    assert got.images == in_software(clip)[0][:frames]
    assert got.exit_code == exit_code
    assert ("in hardware" in got.decoder) == (hwaccel == "cuda" and frames > 0)


def test_damage_is_no_failure_of_hardware(clip: Path) -> None:
    """What software cannot decode either leaves the decoder as it is: here both are software."""
    hardware = Hardware("cuda", None, demanded=False)
    given, refused = [], 0
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        decoder = SwappingDecoder(stream, hardware, name="clip")
        decoder.in_hardware = True
        for number, packet in enumerate(container.demux()):
            if number == 5:
                damaged = av.Packet(b"\xff" * packet.size)
                damaged.pts, damaged.dts, damaged.time_base = packet.pts, packet.dts, packet.time_base
                with pytest.raises(av.InvalidDataError):
                    decoder.decode(damaged)
                refused += 1
                assert decoder.in_hardware
            else:
                given += decoder.decode(packet)
    assert refused == 1
    assert len(given) == FRAMES - 1


@pytest.mark.parametrize("kind", ["nv12", "p010le"])
def test_colours_do_not_depend_on_how_samples_are_stored(kind: str, tmp_path: Path) -> None:
    width, height = 96, 64
    noise = np.random.default_rng(7).integers(0, 256, (height * 3 // 2, width), np.uint8)
    with av.open(str(write_clip(tmp_path / "any.mp4"))) as container:
        converter = Converter(container.streams.video[0])
        planes = VideoFrame.from_ndarray(noise, format="yuv420p")
        if kind == "p010le":
            planes = planes.reformat(format="yuv420p10le")
        expected, got = converter.image(planes), converter.image(planes.reformat(format=kind))
    assert expected is not None
    assert got is not None
    assert np.array_equal(got, expected)


def test_what_is_not_known_is_refused_with_what_is() -> None:
    with pytest.raises(SourceOpenError, match="does not decode with teapot") as refused:
        find_hardware("teapot", where="clip.mp4")
    assert refused.value.exit_code == 3
    assert "none" in str(refused.value)
    assert problem_of("teapot") == "no decoder of this PyAV uses it"


def test_every_device_is_one_that_decodes_something() -> None:
    assert all(codecs_of(kind) for kind in device_kinds())


@pytest.mark.parametrize("wrong", ["", "CUDA", "auto:1", "none:0", "cuda:", "a b"])
def test_what_is_no_device_at_all_is_an_error_of_usage(wrong: str) -> None:
    with pytest.raises(ConfigError, match="hwaccel"):
        SourceOptions(hwaccel=wrong)


def test_without_a_driver_auto_is_software_and_a_name_is_an_error(clip: Path) -> None:
    if any(problem_of(kind) is None for kind in device_kinds()):
        pytest.skip("there is hardware here")
    by_auto = read(str(clip), "auto", driver=None)
    assert (by_auto.decoder, len(by_auto.images)) == ("OpenCV", FRAMES)
    assert "decoded in software" in by_auto.log
    for kind in device_kinds():
        by_name = read(str(clip), kind, driver=None)
        assert (by_name.exit_code, by_name.images) == (3, [])
        assert f"hwaccel: {kind}" in by_name.error
