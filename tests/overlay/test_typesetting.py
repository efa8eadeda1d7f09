"""Lines in any script: the order of letters, which face draws them, what becomes of those that no font has."""

import itertools
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.overlay import fonts
from streamer.overlay.fonts import find_font
from streamer.overlay.lettering import ascii_text, drawable, fitted, line_px, text_mask, text_px
from streamer.overlay.typefaces import BuiltIn, Ink, Mask
from streamer.overlay.typesetting import Typesetter, typesetter

SCRIPTS = {
    "accents": "Fußgänger Łódź",
    "Cyrillic": "пешеход",
    "Greek": "άνθρωπος",
    "Chinese": "行人",
    "Japanese": "ひと",
    "Korean": "보행자",
    "Hebrew": "איש",
    "Arabic": "سيارة",
    "Hindi": "व्यक्ति",
    "Thai": "คนเดินเท้า",
    "Tamil": "வாகனம்",
}


class BlockFace:
    """Has every letter; each is a block, and each run is remembered."""

    def __init__(self, *, above_px: int = 8, below_px: int = 0) -> None:
        self.runs: list[tuple[str, bool]] = []
        self._size_px = above_px, below_px

    def has(self, _cluster: str) -> bool:
        return True

    def ink(self, run: str, _cap: int, *, right_to_left: bool) -> Ink:
        self.runs.append((run, right_to_left))
        above_px, below_px = self._size_px
        return Ink(np.full((above_px + below_px, 5 * len(run)), 255, np.uint8), 0, -above_px, 6 * len(run))


def mask_of(text: str, cap: int = 24) -> Mask:
    """The text as it is drawn; skips the test where no font here has all of its letters."""
    if drawable(text) != text:
        pytest.skip(f"no font here has the letters of {text}: scripts/setup test installs one")
    return text_mask(text, cap)


def runs_of(text: str) -> list[tuple[str, bool]]:
    face = BlockFace()
    Typesetter(face).line(text, 8, above_px=10, below_px=4)
    return face.runs


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_label_in_any_script_is_drawn_with_its_own_letters(script: str) -> None:
    ink = mask_of(SCRIPTS[script])
    assert ink.shape[0] == line_px(24)
    assert (ink > 200).sum() > 100
    assert not np.array_equal(ink, text_mask("?" * len(SCRIPTS[script]), 24))


@pytest.mark.parametrize("script", SCRIPTS)
def test_different_letters_of_a_script_look_different(script: str) -> None:
    letters = sorted({letter for letter in SCRIPTS[script] if letter.isalpha()})
    mask_of("".join(letters))
    for one, other in itertools.combinations(letters, 2):
        assert not np.array_equal(text_mask(one, 40), text_mask(other, 40)), (one, other)


def test_scripts_look_different_from_one_another() -> None:
    masks = {script: text_mask(drawable(text), 24) for script, text in SCRIPTS.items() if drawable(text) == text}
    for one, other in itertools.combinations(masks, 2):
        assert not np.array_equal(masks[one], masks[other]), (one, other)


def test_arabic_letters_are_joined() -> None:
    joined = mask_of("سيب", 40)
    assert joined.shape[1] < sum(text_px(letter, 40) for letter in "سيب")
    columns = (joined > 127).any(axis=0)
    assert columns.all(), "three letters that join leave no gap between them"


def test_a_hindi_vowel_stands_before_the_letter_that_it_follows_in_the_text() -> None:
    letter, with_vowel = mask_of("क", 40).astype(int), mask_of("कि", 40).astype(int)
    wide = letter.shape[1]
    assert with_vowel.shape[1] > wide
    rows = slice(line_px(40) // 3, None)
    unlike_right, unlike_left = (
        np.abs(part[rows] - letter[rows]).mean() for part in (with_vowel[:, -wide:], with_vowel[:, :wide])
    )
    assert unlike_right < unlike_left / 2, "this vowel is written before the letter that it is spoken after"


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("cat", [("cat", False)]),
        ("אבג", [("אבג", True)]),
        ("abc אבג", [("abc ", False), ("אבג", True)]),
        ("אבג abc", [("abc", False), ("אבג ", True)]),
        ("abc אבג 12", [("abc ", False), ("12", False), ("אבג ", True)]),
        ("שלום 12", [("12", False), ("שלום ", True)]),
        ("人 cat", [("人 ", False), ("cat", False)]),
        ("12 人", [("12 ", False), ("人", False)]),
    ],
)
def test_runs_stand_from_left_to_right_as_they_are_seen(text: str, runs: list[tuple[str, bool]]) -> None:
    assert runs_of(text) == runs


def test_marks_stay_with_their_letters() -> None:
    assert runs_of("क्ष") == [("क्ष", False)]
    assert runs_of("x\u0332y") == [("x\u0332y", False)]


@pytest.mark.parametrize(("above_px", "below_px"), [(8, 3), (30, 0), (0, 30), (50, 50)])
def test_what_is_too_high_for_its_line_is_moved_or_made_smaller_and_never_cut(above_px: int, below_px: int) -> None:
    line = Typesetter(BlockFace(above_px=above_px, below_px=below_px)).line("ab", 8, above_px=20, below_px=10)
    assert line.shape[0] == 30
    inked = int((line > 127).any(axis=1).sum())
    assert inked == min(30, above_px + below_px)


def test_what_no_font_has_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    bare = Typesetter(find=lambda _cluster: None)
    assert bare.drawable("คน cat", plain=ascii_text) == "cat"
    assert bare.drawable("व्यक्ति", plain=ascii_text) == ""
    assert bare.drawable("🙂🙂", plain=ascii_text) in {"", "🙂🙂"}
    (record,) = caplog.records
    assert "no font here has all letters of 'คน cat'" in record.getMessage()
    assert "fonts-noto-core" in record.getMessage()
    assert "--font" in record.getMessage()


def test_a_font_is_looked_for_once_for_each_letter_and_not_for_ever() -> None:
    asked: list[str] = []

    def find(cluster: str) -> None:
        asked.append(cluster)

    bare = Typesetter(find=find)
    for _ in range(2):
        assert bare.drawable("คน", plain=ascii_text) == ""
    assert asked == ["ค", "น"]
    bare.drawable("".join(map(chr, range(0x0E01, 0x0E2F))) + "".join(map(chr, range(0x0905, 0x0939))), plain=ascii_text)
    assert len(asked) == 64


def test_a_font_that_was_found_draws_all_that_it_has() -> None:
    found = BlockFace()
    asked: list[str] = []

    def find(cluster: str) -> BlockFace:
        asked.append(cluster)
        return found

    thai = Typesetter(find=find)
    assert thai.drawable("คน คน", plain=ascii_text) == "คน คน"
    assert thai.line("คน", 8, above_px=10, below_px=4).any()
    assert asked == ["ค"]
    assert found.runs == [("คน", False)]


@given(text=st.text(max_size=40) | st.text("אשخ٣5 (\u2067\u202e\u2069\u200d\n\u2029\U00018cd6\u0300a", max_size=20))
@settings(deadline=None, max_examples=150)
def test_any_text_can_be_set(text: str) -> None:
    for setter in (Typesetter(find=lambda _cluster: None), Typesetter(BlockFace())):
        line = setter.line(setter.drawable(text, plain=ascii_text), 12, above_px=18, below_px=6)
        assert line.shape[0] == 24
        assert line.shape[1] >= 1


@given(text=st.text(alphabet="人行אבشخक्षคนé🙂 a1(", max_size=20), width_px=st.integers(0, 200))
@settings(deadline=None, max_examples=60)
def test_text_of_any_script_is_cut_to_its_width(text: str, width_px: int) -> None:
    cut = fitted(drawable(text), 12, width_px)
    assert not cut or text_px(cut, 12) <= width_px


class TestChosenFont:
    def test_it_draws_ascii_too(self) -> None:
        font = self._some_font()
        assert not np.array_equal(text_mask("person", 24, font), text_mask("person", 24))
        assert abs(np.flatnonzero((text_mask("H", 40, font) > 127).any(axis=1)).size - 40) <= 2

    def test_what_it_lacks_comes_from_elsewhere(self) -> None:
        if not BuiltIn.has("人"):
            pytest.skip("OpenCV 4 has no Chinese letters")
        font = self._some_font()
        assert drawable("人 person", font) == "人 person"

    def test_what_is_no_font_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "text.ttf").write_text("no font", encoding="utf-8")
        (tmp_path / "empty.ttf").touch()
        for path in (tmp_path / "text.ttf", tmp_path / "empty.ttf", tmp_path, tmp_path / "missing.ttf"):
            with pytest.raises(ConfigError) as refused:
                typesetter(path)
            assert refused.value.where == str(path)
            assert refused.value.exit_code == 2

    @staticmethod
    def _some_font() -> Path:
        path = next((path for path in fonts._files() if fonts._opened(path, 0) is not None), None)
        if path is None:
            pytest.skip("no font is installed here")
        return path


def test_fonts_are_found_without_fontconfig_too(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux" or find_font("ش") is None:
        pytest.skip("no font here has Arabic letters")
    monkeypatch.setenv("PATH", "")
    found = find_font("ش")
    assert found is not None
    assert found.has("ش")


def test_a_letter_that_no_script_has_is_not_found() -> None:
    assert find_font("\U000fff00") is None
