"""Cutting: what is decoded of a clip is what is decoded of that part of the file; sound and words go along."""

from pathlib import Path

import numpy as np
import pytest

from streamer.cli.signals import Interrupted
from streamer.cutting.clip import cut
from streamer.cutting.containers import CONTAINERS
from streamer.errors import ConfigError, SinkError, SinkOpenError, SourceError, SourceOpenError
from streamer.frame import Image
from streamer.pyav import av
from streamer.sinks.recorder import Recorder
from tests.clips import number_of, write_clip, write_sound
from tests.conftest import shared
from tests.cutting.looks import chapters, look, subtitles, write_rich
from tests.sinks.scenes import results

MEDIA = {
    "decord_flipping_a_pancake.mkv": "mkv, Opus",
    "decord_video_90.mov": "turned",
    "ffmpegpython_in1.mp4": "AAC, keyframes often",
    "imageio_cockatoo.mp4": "4:4:4 of an old x264, whose version decides how it is decoded",
    "intel_brother.mkv": "variable rate, full range, B-frames",
    "media3_bbb_2500ms.ts": "MPEG-2 in a transport stream, open groups of pictures",
    "media3_bbb_960x540_60fps_vp8.webm": "VP9, Vorbis",
    "media3_bt601.mov": "B-frames, BT.601",
    "media3_dolbyVision-hdr.MOV": "HEVC of a phone, decoded later than shown, a hidden picture at its end",
    "media3_h265_bframes.mp4": "HEVC, B-frames",
    "media3_iibbibb_editlist_videoonly.mp4": "an edit list, B-frames after keyframes that need those before",
    "media3_mv_with_2_top_shots.mp4": "variable rate, turned, two videos",
    "media3_sample.avi": "MPEG-4 in AVI",
    "media3_sample_android_slow_motion.mp4": "slow motion",
    "media3_sample_av1.mp4": "AV1",
    "media3_sample_fragmented.mp4": "fragments, begins late",
    "media3_sample_without_stss.mp4": "no table of keyframes",
    "media3_water_180_mvhevc_5frames.mov": "shown before it is decoded",
    "moviepy_fire2.mp4": "variable rate, upside down",
    "torchcodec_h264_10bits.mp4": "ten bits",
    "torchcodec_nasa_13013.mp4": "two tracks of sound, subtitles",
}


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", list(MEDIA), ids=list(MEDIA))
def test_a_copy_shows_the_very_pictures_of_that_part(name: str, tmp_path: Path) -> None:
    path = shared(f"media/{name}")
    whole = look(path)
    start_s, end_s = round(whole.times_s[-1] * 0.4, 2), round(whole.times_s[-1] * 0.8, 2)
    clip = cut(path, tmp_path / "out.mp4", start_s=start_s, end_s=end_s)
    part = look(clip.path)
    assert part.digests == whole.part(start_s, end_s)
    assert clip.frames == len(part.digests)
    shown = [at - clip.wanted_s for at in whole.times_s if start_s - 5e-4 <= at < end_s - 1e-6]
    assert part.times_s == pytest.approx(shown, abs=1e-4)
    assert (part.rotation, part.colours) == (whole.rotation, whole.colours)
    assert len(part.sounds_s) == len(whole.sounds_s)
    for (begin_s, sound_end_s), (first_s, last_s) in zip(part.sounds_s, whole.sounds_s, strict=True):
        assert begin_s == pytest.approx(max(0.0, first_s - clip.first_s), abs=0.03)
        assert sound_end_s == pytest.approx(min(end_s, last_s) - clip.first_s, abs=0.13)  # a packet at 8 kHz


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("decord_flipping_a_pancake.mkv", ".mkv"),
        ("media3_bt601.mov", ".mkv"),
        ("media3_bt601.mov", ".ts"),
        ("media3_iibbibb_editlist_videoonly.mp4", ".ts"),
        ("media3_bbb_2500ms.ts", ".ts"),
        ("moviepy_big_buck_bunny_432_433.webm", ".webm"),
    ],
)
def test_without_an_edit_list_it_begins_at_the_keyframe_before(name: str, ending: str, tmp_path: Path) -> None:
    path = shared(f"media/{name}")
    whole = look(path)
    start_s, end_s = round(whole.times_s[-1] * 0.6, 2), round(whole.times_s[-1] * 0.9, 2)
    clip = cut(path, tmp_path / f"out{ending}", start_s=start_s, end_s=end_s)
    part = look(clip.path)
    assert clip.first_s <= clip.wanted_s
    assert part.digests[: clip.frames] == whole.part(clip.first_s, end_s)
    assert len(part.digests) == clip.frames + clip.extra
    with av.open(str(clip.path)) as container:
        assert next(container.demux(video=0)).is_keyframe


@pytest.mark.parametrize("ending", list(CONTAINERS))
def test_numbered_frames_come_out_where_they_belong(ending: str, tmp_path: Path) -> None:
    codec = "libvpx-vp9" if ending == ".webm" else "libx264"
    path = write_clip(tmp_path / "in.mkv", frames=40, key_every=12, codec=codec)
    clip = cut(path, tmp_path / f"out{ending}", start_s=1.7, end_s=3.1)
    with av.open(str(clip.path)) as container:
        numbers = [
            number_of(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)) for frame in container.decode(video=0)
        ]
        length_s = (container.duration or 0) / av.time_base
    if ending in {".mp4", ".mov"}:
        assert numbers == list(range(17, 31))
        assert length_s == pytest.approx(1.4, abs=0.002)
        assert (clip.first_s, clip.end_s, clip.hidden_s) == pytest.approx((1.7, 3.1, 0.5))
    else:
        assert numbers == list(range(12, 31 + clip.extra))
        assert (clip.first_s, clip.wanted_s) == pytest.approx((1.2, 1.7))
        assert length_s == pytest.approx(clip.end_s - clip.first_s, abs=0.01)


def test_a_recording_of_ours_is_cut_to_the_frame(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "in.mp4", fps=10)
    for one in results(40, scene="noisy"):
        recorder.write(one)
    recorder.close()
    whole = look(tmp_path / "in.mp4")
    clip = cut(tmp_path / "in.mp4", tmp_path / "out.mp4", start_s=1.5, end_s=2.5)
    assert look(clip.path).digests == whole.digests[15:25]
    assert clip.hidden_s == pytest.approx(0.5)
    in_mkv = cut(tmp_path / "in.mp4", tmp_path / "out.mkv", start_s=1.0, end_s=2.5)
    assert look(in_mkv.path).digests == whole.digests[10:25]
    assert (in_mkv.first_s, in_mkv.extra) == (1.0, 0)


@pytest.mark.parametrize(("kind", "text"), [(".mkv", "subrip"), (".mp4", "mov_text")])
def test_sound_subtitles_chapters_and_titles_go_along(kind: str, text: str, tmp_path: Path) -> None:
    path = write_rich(tmp_path / f"in{kind}", subtitles=text, rotation=90)
    clip = cut(path, tmp_path / f"out{kind}", start_s=2.4, end_s=3.3)
    assert clip.left_out == ()
    assert clip.first_s == pytest.approx(2.4)
    assert chapters(clip.path) == [("second 2", 0.0, 0.6), ("second 3", 0.6, 0.9)]
    assert subtitles(clip.path) == [(0.0, 0.4), pytest.approx((0.8, 0.9))]
    part = look(clip.path)
    assert part.rotation == 90
    assert [end_s for _, end_s in part.sounds_s] == pytest.approx([0.9, 0.9], abs=0.13)
    with av.open(str(clip.path)) as container:
        assert container.metadata["title"] == "A yard"
        assert [stream.language for stream in container.streams.audio] == ["eng", "deu"]
        assert container.streams.subtitles[0].language == "fra"


def test_what_a_container_cannot_keep_is_said(tmp_path: Path) -> None:
    path = write_rich(tmp_path / "in.mkv", subtitles="subrip", rotation=90)
    clip = cut(path, tmp_path / "out.ts", end_s=2.0)
    assert clip.left_out == ("subtitles (subrip)", "how the picture is turned", "chapters")


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_exact_holds_nothing_but_the_part(ending: str, tmp_path: Path) -> None:
    path = write_rich(tmp_path / "in.mkv", subtitles="subrip", rotation=90)
    whole = _pictures(path)
    clip = cut(path, tmp_path / f"out{ending}", start_s=1.7, end_s=3.1, exact=True)
    part = _pictures(clip.path)
    assert len(part) == clip.frames == 14
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(part, whole[17:31], strict=True)) < 1.5
    with av.open(str(clip.path)) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) == 14
    assert look(clip.path).rotation == 90
    assert (clip.first_s, clip.end_s, clip.hidden_s, clip.copied) == pytest.approx((1.7, 3.1, 0.0, False))
    assert look(clip.path).sounds_s[0][1] == pytest.approx(1.4, abs=0.13)


def _pictures(path: Path) -> list[Image]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in container.decode(video=0)]


def test_exact_keeps_colours_and_variable_times(tmp_path: Path) -> None:
    whole = look(path := shared("media/intel_brother.mkv"))
    clip = cut(path, tmp_path / "out.mp4", start_s=1.0, end_s=1.6, exact=True)
    part = look(clip.path)
    shown = [at - clip.first_s for at in whole.times_s if 1.0 <= at < 1.6]
    assert part.times_s == pytest.approx(shown, abs=2e-3)
    assert part.colours == whole.colours


@pytest.mark.parametrize("ending", [".mkv", ".flv", ".ts", ".mov"])
@pytest.mark.parametrize("tenths", [0, 1, 10, 12, 13, 29])
def test_wherever_it_begins_the_first_frame_is_the_right_one(ending: str, tenths: int, tmp_path: Path) -> None:
    path = write_clip(tmp_path / f"in{ending}", frames=30, key_every=12)
    whole = look(path)
    clip = cut(path, tmp_path / "out.mp4", start_s=tenths / 10, end_s=tenths / 10 + 0.5)
    assert look(clip.path).digests == whole.digests[tenths : tenths + 5]
    assert clip.first_s == pytest.approx(tenths / 10, abs=0.002)


@pytest.mark.needs_shared
def test_an_end_in_an_open_group_of_pictures_loses_none(tmp_path: Path) -> None:
    whole = look(path := shared("media/media3_iibbibb_editlist_videoonly.mp4"))
    clip = cut(path, tmp_path / "out.mp4", start_s=8.5, end_s=10.4)
    assert (clip.frames, clip.extra) == (2, 1)
    assert look(clip.path).digests == whole.digests[9:12]


@pytest.mark.parametrize("error", [KeyboardInterrupt, Interrupted, SystemExit])
def test_whoever_is_stopped_leaves_nothing(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "in.mp4", frames=12)

    def stop(*_args: object) -> None:
        raise error

    monkeypatch.setattr("streamer.cutting.clip.end_at", stop)
    with pytest.raises(error):
        cut(path, tmp_path / "out.mp4", end_s=1.0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize("exact", [False, True])
def test_a_picture_lasts_until_the_next_one_or_the_end(tmp_path: Path, *, exact: bool) -> None:
    path = write_clip(tmp_path / "in.mkv", times_s=[0.0, 0.1, 0.3, 0.35, 0.8, 1.3, 1.31, 2.0])
    clip = cut(path, tmp_path / "out.mp4", start_s=0.3, end_s=1.2, exact=exact)
    assert look(clip.path).times_s == pytest.approx([0.0, 0.05, 0.5], abs=0.001)
    assert (clip.first_s, clip.end_s) == pytest.approx((0.3, 1.2))
    clip = cut(path, tmp_path / "rest.mp4", start_s=0.3, exact=exact)
    assert look(clip.path).times_s == pytest.approx([0.0, 0.05, 0.5, 1.0, 1.01, 1.7], abs=0.001)


def test_an_end_beyond_the_file_is_its_end(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", frames=12)
    clip = cut(path, tmp_path / "out.mp4", start_s=0.5, end_s=99.0)
    assert (clip.frames, clip.end_s) == pytest.approx((7, 1.2))
    assert cut(path, tmp_path / "all.mp4").frames == 12


def test_what_cannot_be_cut_says_why(tmp_path: Path) -> None:
    path, out = write_clip(tmp_path / "in.mp4", frames=12), tmp_path / "out.mp4"
    with pytest.raises(SourceOpenError, match="start \\(7 s\\) is beyond the end"):
        cut(path, out, start_s=7.0)
    with pytest.raises(SourceOpenError, match=r"no picture is shown .* until 0\.35 s; the next one comes at 0\.400 s"):
        cut(path, out, start_s=0.31, end_s=0.35)
    with pytest.raises(SourceOpenError, match="no such file"):
        cut(tmp_path / "none.mp4", out)
    with pytest.raises(SourceOpenError, match="it holds only sound"):
        cut(write_sound(tmp_path / "sound.mp4"), out)
    with pytest.raises(SourceOpenError, match="unreadable or truncated"):
        cut(_half(path), out)
    for untimed in ("raw.h264", "b-frames.avi"):
        with pytest.raises(SourceOpenError, match="it does not say when its pictures are shown"):
            cut(write_clip(tmp_path / untimed), out)
    with pytest.raises(ConfigError, match=r"no clip is written to \.avi"):
        cut(path, tmp_path / "out.avi")
    with pytest.raises(SinkOpenError, match="is an input, and inputs are never replaced"):
        cut(path, path, force=True)
    with pytest.raises(SinkOpenError, match=r"\.webm cannot hold h264 \(\.mp4 and \.mov and \.mkv and \.ts can\)"):
        cut(path, tmp_path / "out.webm")
    with pytest.raises(SinkOpenError, match="its folder does not exist"):
        cut(path, tmp_path / "none" / "out.mp4")
    assert not out.exists()
    assert list(tmp_path.glob(".*")) == []


def _half(path: Path) -> Path:
    half = path.with_name("half.mp4")
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return half


def test_what_is_there_stays_until_the_clip_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = write_clip(tmp_path / "in.mp4", frames=12), tmp_path / "out.mp4"
    out.write_bytes(b"mine")
    with pytest.raises(SinkOpenError, match="exists already"):
        cut(path, out)

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("streamer.cutting.clip.end_at", full)
        with pytest.raises(SinkError, match="the disk is full; nothing is kept of it"):
            cut(path, out, end_s=1.0, force=True)
    assert out.read_bytes() == b"mine"
    assert cut(path, out, force=True).frames == 12
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_what_comes_while_it_is_cut_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = write_clip(tmp_path / "in.mp4", frames=12), tmp_path / "out.mp4"
    monkeypatch.setattr("streamer.cutting.clip.end_at", lambda *_: out.write_bytes(b"theirs"))
    assert not out.exists()
    with pytest.raises(SinkOpenError, match="exists already"):
        cut(path, out, end_s=1.0)
    assert out.read_bytes() == b"theirs"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


@pytest.mark.needs_shared
def test_damage_in_the_part_is_an_error_and_behind_it_is_none(tmp_path: Path) -> None:
    path = shared("media/decord_corrupted.mp4")
    assert cut(path, tmp_path / "good.mp4", start_s=0.5, end_s=2.5, exact=True).frames == 20
    with pytest.raises(SourceError, match=r"is damaged at \d\.\d\d s"):
        cut(path, tmp_path / "bad.mp4", start_s=0.5, exact=True)
    assert not (tmp_path / "bad.mp4").exists()
