"""What reaches stderr: safe to print, without credentials, in lines or in JSON."""

import json
import logging
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from streamer.cli.logs import Outlet, logging_to

logger = logging.getLogger("streamer.tests")

HOSTILE = "\x1b[2J\x07cam\r\x00 \u202e rtsp://me:hunter2@cam/1?token=t0k %s{} 🙂"


def test_a_line_names_its_level_and_nothing_is_left_when_the_block_ends() -> None:
    lines: list[str] = []
    package = logging.getLogger("streamer")
    before = (package.level, list(package.handlers))
    with logging_to(lines.append, level=logging.INFO, as_json=False):
        logger.info("source: %s", "clip.mp4")
        logger.warning("no window")
        logger.debug("not asked for")
    logger.warning("nobody listens")
    assert lines == ["streamer: source: clip.mp4", "streamer: warning: no window"]
    assert (package.level, list(package.handlers)) == before


@pytest.mark.parametrize("as_json", [False, True])
def test_no_control_character_and_no_credential_is_said(*, as_json: bool) -> None:
    lines: list[str] = []
    with logging_to(lines.append, level=logging.INFO, as_json=as_json):
        logger.info("source: %s", HOSTILE)
        logger.info("%s", "x" * 1_000_000)
    said = "".join(lines).replace("\n", "")
    assert said.isprintable()
    assert "hunter2" not in said
    assert "t0k" not in said
    assert len(lines) == 2
    assert all(len(line) < 1200 for line in lines)


def test_json_has_time_level_logger_message_and_fields() -> None:
    lines: list[str] = []
    with logging_to(lines.append, level=logging.INFO, as_json=True):
        logger.warning("two\nlines", extra={"fields": {"frames": 3}})
    line = json.loads(lines[0])
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "warning", "logger": "streamer.tests", "message": "two | lines", "frames": 3}


def test_where_an_exception_came_from_is_said_when_debugging_only() -> None:
    lines: list[str] = []
    for level in (logging.INFO, logging.DEBUG):
        with logging_to(lines.append, level=level, as_json=False):
            try:
                raise ValueError("x")  # noqa: TRY301 - to have a traceback
            except ValueError as error:
                logger.info("failed", exc_info=error)
    assert lines[0] == "streamer: failed"
    assert "streamer: Traceback (most recent call last):" in lines[1].splitlines()


def test_a_log_that_cannot_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", encoding="utf-8", buffering=1) as full:
        for stderr in (full, None):
            monkeypatch.setattr(sys, "stderr", stderr)
            with logging_to(Outlet(), level=logging.INFO, as_json=False):
                logger.info("said to nobody")
        with suppress(OSError):
            full.close()


def test_an_outlet_leads_through_something_else_for_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    outlet, lines = Outlet(), list[str]()
    with outlet.through(lines.append):
        outlet("inside")
    outlet("outside")
    assert lines == ["inside"]
    assert capsys.readouterr() == ("", "outside\n")
