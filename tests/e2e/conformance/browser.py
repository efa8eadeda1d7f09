"""Recordings in headless Chromium, as many as there are in one: each is opened, played to its end, and sought in."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.e2e.conformance.verdict import Verdict

PROGRAM = "chromium"

ENDINGS = {".mp4", ".webm"}
"""What it can play."""

STEP_PATIENCE_S = 30
"""How long any one event may be waited for, beside the time that the video lasts."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--dump-dom",
)

PAGE = """<body><pre id=told></pre><img src="{url}/wait"><script>
const one = async (src) => {{
  const found = {{}}, video = document.createElement('video');
  const heard = (name) => new Promise((yes, no) => {{
    const late = {patience} + 1000 * (video.duration || 0);
    const timer = setTimeout(() => no(`${{name}} never came`), late);
    video.addEventListener(name, () => {{ clearTimeout(timer); yes(); }}, {{once: true}});
    video.addEventListener('error', () => {{
      clearTimeout(timer);
      no(video.error.message || `error ${{video.error.code}}`);
    }}, {{once: true}});
  }});
  const seek = async (time_s) => {{ const seeked = heard('seeked'); video.currentTime = time_s; await seeked; }};
  try {{
    document.body.append(video);
    video.muted = true;
    const ready = heard('canplay');
    video.src = src;
    await ready;
    Object.assign(found, {{duration_s: video.duration, size_px: [video.videoWidth, video.videoHeight]}});
    const ended = heard('ended');
    video.playbackRate = 16;
    await video.play();
    await ended;
    found.end_s = video.currentTime;
    found.shown = video.getVideoPlaybackQuality().totalVideoFrames;
    video.playbackRate = 1;
    await seek(video.duration / 2);
    found.middle_s = video.currentTime;
    await seek(video.duration);
    found.last_s = video.currentTime;
  }} catch (problem) {{ found.error = String(problem); }}
  video.remove();
  return found;
}};
(async () => {{
  const told = [];
  for (const src of {files}) told.push(await one(src));
  document.getElementById('told').textContent = JSON.stringify(told);
  fetch('{url}/done', {{mode: 'no-cors'}});
}})();
</script>"""


@dataclass(frozen=True, slots=True)
class Played:
    """What a video element said. The times are 0 where it did not get so far; `error` says why."""

    error: str = ""
    duration_s: float = 0.0
    size_px: tuple[int, int] = (0, 0)
    end_s: float = 0.0
    shown: int = 0
    middle_s: float = 0.0
    last_s: float = 0.0

    def problems(self, *, duration_s: float, step_s: float, size_px: tuple[int, int]) -> Iterator[str]:
        """What is wrong where `duration_s` was expected, give or take a frame of `step_s`, and `size_px` as shown."""
        if self.error:
            yield self.error
            return
        if abs(self.duration_s - duration_s) > max(step_s, 0.025):
            yield f"it lasts {self.duration_s:.3f} s where {duration_s:.3f} s were expected"
        if max(abs(one - other) for one, other in zip(self.size_px, size_px, strict=True)) > 1:  # of pixels not square
            yield "it is shown at {}x{}, not {}x{}".format(*self.size_px, *size_px)
        for what, at_s, wanted_s in (
            ("its end", self.end_s, self.duration_s),
            ("a seek to the middle", self.middle_s, self.duration_s / 2),
            ("a seek to the end", self.last_s, self.duration_s),
        ):
            if abs(at_s - wanted_s) > max(step_s, 0.025):
                yield f"{what} is at {at_s:.3f} s of {self.duration_s:.3f} s"
        if not self.shown:
            yield "no frame was shown"


def judge(verdict: Verdict, played: Played) -> None:
    """Add to `verdict` what a browser made of the recording."""
    step_s = (verdict.expected_s or 0.0) / max(1, verdict.frames_in)
    problems = list(played.problems(duration_s=verdict.expected_s or 0.0, step_s=step_s, size_px=verdict.shown_px))
    verdict.browser = "plays" if not problems else "does not play well"
    for problem in problems:
        verdict.blame("browser", problem)


def available() -> bool:
    """Whether there is a Chromium to ask."""
    return shutil.which(PROGRAM) is not None


def play(videos: Sequence[Path], folder: Path, *, patience_s: float = 900) -> list[Played]:
    """Play all of them, one after another; `folder` is for the page and the browser's profile."""
    if not videos:
        return []
    page = folder / "page.html"
    with _gate(patience_s) as url:
        files = json.dumps([video.resolve().as_uri() for video in videos])
        page.write_text(PAGE.format(url=url, files=files, patience=STEP_PATIENCE_S * 1000))
        command = [PROGRAM, *FLAGS, f"--user-data-dir={folder / 'profile'}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience_s + 30, check=True)
    told = re.search(r"<pre id=\"told\">(.*?)</pre>", done.stdout, re.DOTALL)
    if told is None or not told[1]:
        return [Played(error="the browser said nothing")] * len(videos)
    return [_played(found) for found in json.loads(unescape(told[1]))]


def _played(found: dict[str, Any]) -> Played:
    found["size_px"] = tuple(found.get("size_px", (0, 0)))
    return Played(**found)


class _Gate(ThreadingHTTPServer):
    """Answers /wait once /done was asked for: what holds up the page's load event, and so the dump of its text."""

    daemon_threads = False

    def __init__(self, patience_s: float) -> None:
        self.done = threading.Event()
        self.patience_s = patience_s
        super().__init__(("127.0.0.1", 0), _Answer)


class _Answer(BaseHTTPRequestHandler):
    server: _Gate

    def do_GET(self) -> None:
        if self.path == "/done":
            self.server.done.set()
        self.server.done.wait(self.server.patience_s)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Nobody reads it."""


@contextmanager
def _gate(patience_s: float) -> Iterator[str]:
    with _Gate(patience_s) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.done.set()
            server.shutdown()
            thread.join()
