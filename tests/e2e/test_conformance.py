"""The judge of recordings, on recordings made wrong on purpose: each fault is caught, and what is right is let off."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conformance import browser, programs
from tests.e2e.conformance.browser import Played
from tests.e2e.conformance.examining import examine
from tests.e2e.conformance.facts import Facts, read
from tests.e2e.conformance.judge import compare
from tests.e2e.conformance.pictures import SIDE_PX
from tests.e2e.conformance.running import Run
from tests.e2e.conformance.table import line, total
from tests.e2e.conformance.verdict import Verdict

pytestmark = pytest.mark.skipif(programs.missing() is not None, reason="needs ffmpeg and ffprobe")

CHAPTERS = """;FFMETADATA1
title=A clip
[CHAPTER]
TIMEBASE=1/1000
START=0
END=1000
title=One
[CHAPTER]
TIMEBASE=1/1000
START=1000
END=2000
title=Two
"""

ENCODE = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-b:a", "128k")
ENCODE_VIDEO = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "copy")
TAGGED = ("-colorspace", "smpte170m", "-color_primaries", "smpte170m", "-color_trc", "smpte170m", "-color_range", "tv")
H264_TAG = ("-c", "copy", "-bsf:v")

NOISE = "aevalsrc='(0.6*random(0)-0.3)*lt(mod(t,0.5),0.3)|0.4*random(1)-0.2':sample_rate=44100:duration=2"


def ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty frames of saturated colours that move, two channels of noise that comes and goes, and names for all."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "names.txt").write_text(CHAPTERS)
    path = folder / "clip.mp4"
    picture = "testsrc2=size=320x240:rate=25:duration=2,scale=out_color_matrix=smpte170m:out_range=tv,format=yuv420p"
    ffmpeg(
        *("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", NOISE, "-i", folder / "names.txt", "-map_metadata", 2),
        *("-map", "0:v", "-map", "1:a", "-metadata:s:a", "language=fra", "-metadata:s:v", "language=fra"),
        *(*ENCODE, *TAGGED, path),
    )
    return path


@pytest.fixture(scope="module")
def source(clip: Path) -> Facts:
    facts = read(clip)
    assert facts is not None
    assert (facts.frames, len(facts.tracks), len(facts.chapters), facts.title) == (50, 1, 2, "A clip")
    return facts


def judged(source: Facts, video: Path) -> Verdict:
    made = read(video)
    assert made is not None
    verdict = Verdict(video.name)
    compare(verdict, source, made)
    return verdict


RIGHT = {
    "copied": ("-c", "copy"),
    "encoded again": (*ENCODE, *TAGGED),
    "full range": (*ENCODE_VIDEO, *TAGGED[:-1], "pc", "-vf", "scale=out_range=pc,format=yuv420p"),
    "another matrix": (*ENCODE_VIDEO, "-colorspace", "bt709", *TAGGED[2:], "-vf", "scale=out_color_matrix=bt709"),
    "the sound copied": (*ENCODE_VIDEO, *TAGGED),
}


@pytest.mark.parametrize("how", RIGHT)
def test_what_is_right_is_let_off(source: Facts, tmp_path: Path, how: str) -> None:
    ffmpeg("-i", source.path, *RIGHT[how], tmp_path / "made.mp4")
    verdict = judged(source, tmp_path / "made.mp4")
    assert verdict.right, list(map(str, verdict.wrong))
    assert programs.complaint(tmp_path / "made.mp4") == ""


def test_figures_are_those_of_the_files(source: Facts, tmp_path: Path) -> None:
    ffmpeg("-i", source.path, *ENCODE, *TAGGED, tmp_path / "made.mp4")
    verdict = judged(source, tmp_path / "made.mp4")
    assert (verdict.frames_in, verdict.frames_out, verdict.sound) == (50, 50, "aac encoded")
    assert verdict.time_ms == pytest.approx(0, abs=0.1)
    assert verdict.sync_ms == pytest.approx(0, abs=1)
    assert verdict.expected_s == pytest.approx(2, abs=0.05)
    assert verdict.similarity is not None
    assert verdict.similarity > 0.9
    assert verdict.as_json()["right"] is True
    assert line(verdict).startswith("ok    made.mp4")


WRONG = {
    "sound 120 ms late": ("sync", ("-itsoffset", "0.12", "-i", "SAME", "-map", "0:v", "-map", "1:a", "-c", "copy")),
    "sound 40 ms early": ("sync", ("-c:v", "copy", "-af", "atrim=start=0.04,asetpts=PTS-STARTPTS")),
    "no sound": ("sound", ("-an", "-c", "copy")),
    "one channel of two": ("sound", ("-c:v", "copy", "-ac", "1")),
    "another rate": ("sound", ("-c:v", "copy", "-ar", "22050")),
    "half of the sound": ("sound", ("-c:v", "copy", "-af", "atrim=end=1")),
    "silence": ("sound", ("-c:v", "copy", "-af", "volume=0")),
    "another sound": ("sound", ("-c:v", "copy", "-af", "areverse")),
    "one frame dropped": ("frames", (*ENCODE_VIDEO, "-vsync", "passthrough", "-vf", "select='not(eq(n,30))'")),
    "one frame twice": ("picture", (*ENCODE_VIDEO, *TAGGED, "-vf", "shuffleframes=0 1 2 3 1")),
    "one frame 15 ms late": ("times", ("-c", "copy", "-bsf:v", "setts=ts=TS+if(eq(N\\,30)\\,0.015/TB\\,0)")),
    "half the speed": ("times", ("-an", "-c", "copy", "-bsf:v", "setts=ts=TS*2")),
    "twice the duration": ("duration", ("-c", "copy", "-bsf:v", "setts=duration=DURATION*if(eq(N\\,49)\\,51\\,1)")),
    "turned by its tag": ("picture", ("-c", "copy", "-metadata:s:v", "rotate=180")),
    "lying by its tag": ("size", ("-c", "copy", "-metadata:s:v", "rotate=90")),
    "mirrored": ("picture", (*ENCODE_VIDEO, *TAGGED, "-vf", "hflip")),
    "scaled": ("size", (*ENCODE_VIDEO, *TAGGED, "-vf", "scale=160:120")),
    "wrong matrix": ("colour", (*H264_TAG, "h264_metadata=matrix_coefficients=1")),
    "wrong range": ("colour", (*H264_TAG, "h264_metadata=video_full_range_flag=1")),
    "wrong hue": ("colour", (*ENCODE_VIDEO, *TAGGED, "-vf", "hue=h=25")),
    "wrong primaries": ("tags", (*H264_TAG, "h264_metadata=colour_primaries=9")),
    "wrong curve": ("tags", (*H264_TAG, "h264_metadata=transfer_characteristics=16")),
    "wide pixels": ("aspect", ("-c", "copy", "-aspect", "16:9")),
    "no title": ("names", ("-c", "copy", "-metadata", "title=")),
    "no chapters": ("names", ("-c", "copy", "-map_chapters", "-1")),
    "no language": ("names", ("-c", "copy", "-metadata:s:a", "language=und")),
    "another codec": ("codec", ("-c:v", "mpeg4", "-q:v", "2", "-c:a", "copy", *TAGGED)),
    "4:4:4": ("codec", (*ENCODE_VIDEO, *TAGGED, "-pix_fmt", "yuv444p")),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_is_wrong_is_caught(source: Facts, tmp_path: Path, how: str) -> None:
    check, arguments = WRONG[how]
    video = tmp_path / "made.mp4"
    ffmpeg("-i", source.path, *(source.path if argument == "SAME" else argument for argument in arguments), video)
    verdict = judged(source, video)
    assert check in {finding.check for finding in verdict.wrong}, line(verdict)


def test_a_wrong_way_up_is_named(source: Facts, tmp_path: Path) -> None:
    ffmpeg("-i", source.path, "-c", "copy", "-metadata:s:v", "rotate=180", tmp_path / "made.mp4")
    assert "is turned by 180 degrees" in line(judged(source, tmp_path / "made.mp4"))


def test_a_wrong_matrix_is_named(source: Facts, tmp_path: Path) -> None:
    ffmpeg("-i", source.path, *H264_TAG, "h264_metadata=matrix_coefficients=1", tmp_path / "made.mp4")
    verdict = judged(source, tmp_path / "made.mp4")
    assert "if the clip is read as BT.709" in line(verdict)
    assert total([verdict]).endswith("wrong, in so many clips: colour 1")


@pytest.fixture(scope="module")
def hdr(clip: Path) -> Facts:
    """The clip, dark enough to become brighter, with the curve of HDR."""
    path = clip.with_name("hdr.mp4")
    dark = "lutyuv=y=val*0.6+6"
    ffmpeg("-i", clip, *ENCODE_VIDEO, *TAGGED[:-4], "-color_trc", "smpte2084", "-vf", dark, path)
    facts = read(path)
    assert facts is not None
    assert facts.tags.transfer == 16
    return facts


@pytest.mark.parametrize(
    ("filters", "checks"),
    [
        ("null", {"tags"}),
        ("lutyuv=y='val*1.35-6'", set()),
        ("lutyuv=y='clip(val*2.2,16,235)':u=128:v=128", {"colour"}),
        ("negate,hflip", {"picture"}),
    ],
)
def test_hdr_may_become_sdr_if_its_pixels_do(hdr: Facts, tmp_path: Path, filters: str, checks: set[str]) -> None:
    ffmpeg("-i", hdr.path, *ENCODE_VIDEO, *TAGGED, "-vf", filters, tmp_path / "made.mp4")
    verdict = judged(hdr, tmp_path / "made.mp4")
    assert {finding.check for finding in verdict.wrong} == checks, line(verdict)


def test_the_programs_complain_of_a_damaged_file(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    middle = data.index(b"mdat") + len(data) // 3
    data[middle : middle + 400] = b"\xff" * 400
    (tmp_path / "made.mp4").write_bytes(data)
    assert programs.complaint(tmp_path / "made.mp4").startswith("ffmpeg: ")


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_pictures_are_seen_as_ffmpeg_shows_them(clip: Path, tmp_path: Path, degrees: int) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg("-i", clip, "-an", "-c", "copy", "-metadata:s:v", f"rotate={degrees}", turned)
    scale = f"scale={SIDE_PX}:{SIDE_PX}:flags=area+accurate_rnd+full_chroma_int,format=rgb24"
    ffmpeg("-i", turned, "-frames:v", 1, "-vf", scale, "-f", "rawvideo", tmp_path / "shown")
    shown = np.frombuffer((tmp_path / "shown").read_bytes(), np.uint8).reshape(SIDE_PX, SIDE_PX, 3)
    facts = read(turned)
    assert facts is not None
    assert np.abs(facts.thumbs[0].astype(int) - shown).mean() < 2


def a_run(clip: Path, **changes: object) -> Run:
    facts: dict[str, object] = {"name": clip.name, "clip": clip, "truth": None, "code": 3, "produced": 0, "recorded": 0}
    facts |= {"balanced": True, "message": "not a video", "videos": (), "strays": (), "seconds": 0.0}
    return Run(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "checks"),
    [
        ({}, set()),
        ({"message": ""}, {"exit"}),
        ({"code": 0}, {"exit"}),
        ({"produced": 1}, {"files"}),
        ({"strays": ("clip.part.mp4",)}, {"files"}),
    ],
)
def test_a_clip_without_a_picture_has_to_be_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], checks: set[str]
) -> None:
    broken = tmp_path / "clip.mp4"
    broken.write_bytes(b"nothing to be seen")
    monkeypatch.setattr("tests.e2e.conformance.examining.run", lambda *_, **__: a_run(broken, **changes))
    verdict, video = examine(broken, tmp_path, truth=0)
    assert {finding.check for finding in verdict.wrong} == checks
    assert video is None


@pytest.mark.parametrize(
    ("changes", "checks"),
    [
        ({}, set()),
        ({"recorded": 49}, {"frames"}),
        ({"balanced": False}, {"frames"}),
        ({"code": 5, "message": "no room"}, {"exit"}),
        ({"strays": ("clip.part.mp4",)}, {"files"}),
        ({"videos": ()}, {"files"}),
        ({"truth": 51}, {"frames"}),
    ],
)
def test_what_the_run_says_has_to_agree(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], checks: set[str]
) -> None:
    video = tmp_path / "made.mp4"
    shutil.copy(clip, video)
    said: dict[str, object] = {"code": 0, "produced": 50, "recorded": 50, "message": "", "videos": (video,), **changes}
    monkeypatch.setattr("tests.e2e.conformance.examining.run", lambda *_, **__: a_run(clip, **said))
    truth = changes.get("truth", 50)
    assert isinstance(truth, int)
    verdict, _ = examine(clip, tmp_path, truth=truth)
    assert {finding.check for finding in verdict.wrong} == checks


GOOD = Played(duration_s=2.0, size_px=(320, 240), end_s=2.0, shown=50, middle_s=1.0, last_s=2.0)


@pytest.mark.parametrize(
    ("played", "count"),
    [
        (GOOD, 0),
        (Played(error="ended never came"), 1),
        (Played(duration_s=4.0, size_px=(320, 240), end_s=4.0, shown=50, middle_s=2.0, last_s=4.0), 1),
        (Played(duration_s=2.0, size_px=(240, 320), end_s=2.0, shown=50, middle_s=1.0, last_s=2.0), 1),
        (Played(duration_s=2.0, size_px=(320, 240), end_s=1.0, shown=0, middle_s=0.0, last_s=0.0), 4),
    ],
)
def test_what_a_browser_says_is_judged(played: Played, count: int) -> None:
    assert len(list(played.problems(duration_s=2.0, step_s=0.04, size_px=(320, 240)))) == count


@pytest.mark.skipif(not browser.available(), reason="needs chromium")
def test_one_browser_plays_them_all(clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:4000])
    ffmpeg("-i", clip, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, tmp_path / "made.webm")
    good, bad, webm, again = browser.play([clip, broken, tmp_path / "made.webm", clip], tmp_path)
    assert list(good.problems(duration_s=2.02, step_s=0.04, size_px=(320, 240))) == []
    assert list(webm.problems(duration_s=2.02, step_s=0.04, size_px=(320, 240))) == []
    assert bad.error
    assert again.error == ""
