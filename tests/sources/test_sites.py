import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streamer import sources
from streamer.errors import SourceOpenError
from streamer.sources.sites import video_address
from tests import loopback
from tests.clips import write_clip


class YoutubeDLError(Exception):
    """As yt-dlp's own."""


class Downloader:
    """In place of yt_dlp.YoutubeDL: knows one page."""

    asked: dict[str, Any]

    def __init__(self, asked: dict[str, Any]) -> None:
        Downloader.asked = asked

    def __enter__(self) -> "Downloader":
        return self

    def __exit__(self, *_: object) -> None: ...

    def extract_info(self, page: str, *, download: bool) -> dict[str, Any]:
        assert not download
        if page != "https://videos.example/watch?v=1":
            self.asked["logger"].error(page)
            raise YoutubeDLError(f"\x1b[0;31mERROR:\x1b[0m Unsupported URL: {page}")
        return {"url": "https://cdn.example/1.mp4", "title": "One"}


@pytest.fixture
def yt_dlp(monkeypatch: pytest.MonkeyPatch) -> None:
    utils = SimpleNamespace(YoutubeDLError=YoutubeDLError)
    monkeypatch.setitem(sys.modules, "yt_dlp", SimpleNamespace(YoutubeDL=Downloader, utils=utils))


@pytest.mark.usefixtures("yt_dlp")
@pytest.mark.parametrize("page", ["https://videos.example/watch?v=1", "videos.example/watch?v=1"])
def test_the_address_of_the_video_is_told_and_nothing_is_downloaded(page: str) -> None:
    assert video_address(page) == "https://cdn.example/1.mp4"
    assert Downloader.asked["noplaylist"]


@pytest.mark.usefixtures("yt_dlp")
def test_what_yt_dlp_does_not_know_is_an_error_without_escapes_and_passwords(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SourceOpenError, match=r"yt-dlp found no video: .*Unsupported") as caught:
        video_address("https://anna:s3cret@videos.example/")
    assert "s3cret" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert not caplog.records


def test_without_yt_dlp_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(SourceOpenError, match=r"yt-dlp is not installed .*pip install yt-dlp"):
        video_address("https://videos.example/watch?v=1")


@pytest.mark.parametrize("page", ["", "file:///etc/passwd", "rtsp://h/", "https://file:///etc/passwd"])
def test_only_pages_of_the_web_are_asked_for(page: str) -> None:
    with pytest.raises(SourceOpenError, match="the address of a page goes here"):
        video_address(page, extract=lambda _: {"url": "https://h/"})


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"entries": []}, "a list of videos"),
        ({}, "no video was found"),
        ({"url": "file:///etc/passwd"}, "no video was found"),
        ({"url": "rtmp://h/"}, "no video was found"),
    ],
)
def test_what_is_told_must_be_one_video_of_the_web(told: dict[str, Any], text: str) -> None:
    with pytest.raises(SourceOpenError, match=text):
        video_address("https://videos.example/", extract=lambda _: told)


@pytest.mark.usefixtures("yt_dlp")
def test_the_video_goes_by_the_name_of_its_page_and_its_signed_address_is_told_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clip = write_clip(tmp_path / "clip.mkv", frames=5)
    with loopback.serving() as web:
        signed = web.serve("v/s3cret/clip.mkv", clip.read_bytes()) + "?expire=1&sig=s3cret&n=s3cret"
        monkeypatch.setattr(Downloader, "extract_info", lambda *_, **__: {"url": signed})
        source = sources.open_source("yt:videos.example/watch?v=1")
        frames = list(source.frames())
        assert next(path for path, _ in web.asked).endswith("sig=s3cret&n=s3cret")
        monkeypatch.setattr(Downloader, "extract_info", lambda *_, **__: {"url": signed.replace("clip", "none")})
        with pytest.raises(SourceOpenError, match="404") as caught:
            sources.open_source("yt:videos.example/watch?v=1")
    assert len(frames) == 5
    assert {frame.source for frame in frames} == {source.info.name} == {"yt:videos.example/watch?v=1"}
    assert "s3cret" not in f"{caught.value}{caught.value!r}{caplog.text}{source.info}"
    assert sources.comes_once("yt:videos.example/watch?v=1")
