"""Pictures are kept whole, under the name of their input."""

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamer.errors import InternalError, SinkError, SinkOpenError
from streamer.frame import Detections, Frame, Result
from streamer.sinks.folder import Folder
from streamer.sinks.pictures import Pictures, save_picture
from streamer.sinks.recorder import Recorder
from streamer.sinks.video_file import VideoFile
from tests.sinks.scenes import decoded, grey, picture, result, results


def read(path: Path) -> np.ndarray:
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


class TestSavePicture:
    def test_a_png_comes_back_exactly(self, tmp_path: Path) -> None:
        save_picture(tmp_path / "a.png", picture("noisy", 0))
        assert np.array_equal(read(tmp_path / "a.png"), picture("noisy", 0))

    @pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "A.JPG"])
    def test_a_jpeg_comes_back_nearly(self, tmp_path: Path, name: str) -> None:
        save_picture(tmp_path / name, picture("quiet", 5))
        difference = cv2.absdiff(read(tmp_path / name), picture("quiet", 5))
        assert float(np.mean(difference)) < 1.0

    @pytest.mark.parametrize("name", ["ünï çødé.png", "写真 1.jpg", "x" * 250 + ".png"])
    def test_any_name_that_the_system_takes_will_do(self, tmp_path: Path, name: str) -> None:
        save_picture(tmp_path / name, grey(1))
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_an_unknown_ending_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SinkError, match=r"\.png, \.jpg"):
            save_picture(tmp_path / "a.bmp", grey(1))

    def test_what_jpeg_cannot_hold_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(SinkError, match="cannot be encoded"):
            save_picture(tmp_path / "a.jpg", grey(1, size_px=(70_000, 1)))
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_folder_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(SinkError, match="not kept"):
            save_picture(tmp_path / "missing" / "a.png", grey(1))

    def test_half_a_picture_is_never_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a.png").write_text("old")

        def broken(_path: Path, _target: Path) -> Path:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", broken)
        with pytest.raises(SinkError, match="disk is full"):
            save_picture(tmp_path / "a.png", grey(1), force=True)
        with pytest.raises(SinkError, match="disk is full"):
            save_picture(tmp_path / "b.png", grey(1))
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.png": "old"}

    def test_what_came_there_a_moment_ago_is_not_replaced(self, tmp_path: Path) -> None:
        for name, target in (("file.png", None), ("link.png", tmp_path / "file.png"), ("nowhere.png", tmp_path / "x")):
            path = tmp_path / name
            path.write_text("mine") if target is None else path.symlink_to(target)
            with pytest.raises(SinkError, match="File exists"):
                save_picture(path, grey(1))
        assert {path.name for path in tmp_path.iterdir()} == {"file.png", "link.png", "nowhere.png"}
        assert (tmp_path / "file.png").read_text() == "mine"

    def test_force_follows_a_link_and_leaves_it(self, tmp_path: Path) -> None:
        (tmp_path / "link.png").symlink_to(tmp_path / "there.png")
        for shade in (1, 2):
            save_picture(tmp_path / "link.png", grey(shade), force=True)
            assert int(read(tmp_path / "there.png")[0, 0, 0]) == shade
        assert (tmp_path / "link.png").is_symlink()


class TestPictures:
    def test_one_result_becomes_one_picture_and_the_next_gets_a_number(self, tmp_path: Path) -> None:
        sink = Pictures(tmp_path / "a.png")
        assert list(tmp_path.iterdir()) == []
        sink.write(result(grey(1)))
        sink.write(result(grey(2)))
        sink.close()
        assert sink.written == 2
        assert [int(read(path)[0, 0, 0]) for path in sink.recorded_files] == [1, 2]
        assert [path.name for path in sink.recorded_files] == ["a.png", "a-002.png"]

    def test_with_force_the_old_picture_is_replaced(self, tmp_path: Path) -> None:
        save_picture(tmp_path / "a.png", grey(1))
        sink = Pictures(tmp_path / "a.png", force=True)
        sink.write(result(grey(9)))
        sink.close()
        assert int(read(tmp_path / "a.png")[0, 0, 0]) == 9

    def test_a_frame_that_nobody_has_drawn_is_a_bug(self, tmp_path: Path) -> None:
        sink = Pictures(tmp_path / "a.png")
        with pytest.raises(InternalError):
            sink.write(Result(Frame(grey(0), 0, 0), Detections.empty()))


class TestFolder:
    def test_pictures_keep_their_names_and_their_place_below_the_input_folder(self, tmp_path: Path) -> None:
        given, out = tmp_path / "in", tmp_path / "out"
        names = ["a.png", "b.JPG", "sub/a.png", "sub/deep/ü.jpeg", "c.webp"]
        given.mkdir()
        sink = Folder(out, pictures=True, inputs=[given])
        for index, name in enumerate(names):
            sink.write(result(grey(index), index, source=str(given / name), epoch=index))
        sink.close()
        found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
        assert found == {"a.png", "b.JPG", "sub/a.png", "sub/deep/ü.jpeg", "c.png"}
        assert sink.written == 5

    def test_two_inputs_of_one_name_never_replace_each_other(self, tmp_path: Path) -> None:
        sink = Folder(tmp_path / "out", pictures=True, force=True)
        for index, source in enumerate(("one/a.png", "two/a.png", "/three/a.webp")):
            sink.write(result(grey(index), index, source=source))
        sink.close()
        names = ["a-002.png", "a-003.png", "a.png"]
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
        assert [int(read(tmp_path / "out" / name)[0, 0, 0]) for name in names] == [1, 2, 0]

    @pytest.mark.parametrize(
        "source", ["../../a.png", "/etc/../a.png", "http://u:secret@host/../a.png", "", "..", ".", "/"]
    )
    def test_no_name_leads_out_of_the_folder(self, tmp_path: Path, source: str) -> None:
        (tmp_path / "in").mkdir()
        sink = Folder(tmp_path / "out", pictures=True, inputs=[tmp_path / "in"])
        sink.write(result(grey(0), source=source))
        sink.close()
        (found,) = (path for path in tmp_path.rglob("*") if path.is_file())
        assert found.is_relative_to(tmp_path / "out")
        assert "secret" not in found.name

    def test_videos_become_one_mp4_each(self, tmp_path: Path) -> None:
        sink = Folder(tmp_path / "out", new_recorder=partial(Recorder, fps=10))
        for count, name in ((5, "a.avi"), (7, "b.mkv"), (3, "c/a.mp4")):
            for one in results(count, source=name):
                sink.write(one)
        sink.close()
        assert sink.written == 15
        counts = {path.name: len(decoded(path)) for path in (tmp_path / "out").iterdir()}
        assert counts == {"a.mp4": 5, "b.mp4": 7, "a-002.mp4": 3}

    def test_a_picture_among_videos_stays_a_picture(self, tmp_path: Path) -> None:
        sink = Folder(tmp_path / "out", new_recorder=partial(Recorder, fps=10))
        for one in results(3, source="a.avi"):
            sink.write(one)
        sink.write(result(grey(1), 3, pts_s=None, source="b.jpg"))
        for one in results(3, source="c.avi"):
            sink.write(one)
        sink.close()
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mp4", "b.jpg", "c.mp4"]
        assert sink.written == 7

    def test_a_name_with_control_characters_is_written_without(self, tmp_path: Path) -> None:
        sink = Folder(tmp_path / "out", pictures=True)
        sink.write(result(grey(1), source="br\n\x1b[31mich.png"))
        sink.close()
        (name,) = (path.name for path in (tmp_path / "out").iterdir())
        assert name.isprintable()
        assert name.endswith(".png")

    def test_a_folder_within_the_one_that_is_read_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        with pytest.raises(SinkOpenError, match="lies in the folder"):
            Folder(tmp_path / "in" / "out", inputs=[tmp_path / "in"])
        assert not (tmp_path / "in" / "out").exists()

    def test_a_file_that_was_there_is_refused_before_anything_is_read(self, tmp_path: Path) -> None:
        given = tmp_path / "clip.avi"
        given.touch()
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "clip.mp4").write_text("mine")
        with pytest.raises(SinkOpenError, match=r"clip\.mp4: exists already .*--force"):
            Folder(tmp_path / "out", inputs=[given])
        sink = Folder(tmp_path / "out", inputs=[given], force=True, new_recorder=partial(Recorder, force=True))
        sink.write(result(grey(1), source=str(given)))
        sink.close()
        assert len(decoded(tmp_path / "out" / "clip.mp4")) == 1

    def test_a_file_that_was_there_is_never_replaced_by_one_found_later(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_text("mine")
        sink = Folder(tmp_path, pictures=True)
        with pytest.raises(SinkError, match="exists already"):
            sink.write(result(grey(1), source="elsewhere/a.png"))
        sink.close()
        assert (tmp_path / "a.png").read_text() == "mine"

    def test_an_input_is_never_replaced_even_with_force(self, tmp_path: Path) -> None:
        save_picture(tmp_path / "a.png", grey(1))
        with pytest.raises(SinkOpenError, match="lies in the folder that is being read"):
            Folder(tmp_path, pictures=True, inputs=[tmp_path], force=True)
        with pytest.raises(SinkOpenError, match="is an input"):
            Folder(tmp_path, pictures=True, inputs=[tmp_path / "a.png"], force=True)

    def test_a_folder_that_got_nothing_is_not_left_behind(self, tmp_path: Path) -> None:
        Folder(tmp_path / "out").close()
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_somebody_took_away_is_no_bug(self, tmp_path: Path) -> None:
        sink = Folder(tmp_path / "out", pictures=True)
        (tmp_path / "out").rmdir()
        sink.close()

    def test_every_file_of_an_input_is_told(self, tmp_path: Path) -> None:
        sink = Folder(tmp_path / "out", new_recorder=partial(Recorder, fps=10))
        for epoch in (0, 1):
            sink.write(result(grey(1), epoch, source="clip.avi", epoch=epoch))
        during = sink.recorded_files
        sink.close()
        assert [path.name for path in during] == ["clip.mp4", "clip-002.part.mp4"]
        assert [path.name for path in sink.recorded_files] == ["clip.mp4", "clip-002.mp4"]
        assert set(sink.recorded_files) == set((tmp_path / "out").iterdir())

    def test_what_is_written_never_goes_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sink, seen = Folder(tmp_path / "out", new_recorder=partial(Recorder, fps=10)), list[int]()
        finish = VideoFile.close

        def watched(file: VideoFile, **how: Any) -> None:
            seen.append(sink.written)
            finish(file, **how)
            seen.append(sink.written)

        monkeypatch.setattr(VideoFile, "close", watched)
        for count, name in ((20, "a.avi"), (20, "b.avi")):
            for one in results(count, source=name):
                sink.write(one)
        sink.close()
        seen.append(sink.written)
        assert seen == sorted(seen)
        assert seen[0] > 0
        assert seen[-1] == 40
