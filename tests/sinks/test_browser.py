"""A recording plays in a browser, from its first frame to its last."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streamer.sinks.recorder import Recorder
from tests.sinks.scenes import results

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--dump-dom",
]
PAGE = """<video id=v muted src=out.mp4></video><p id=p>nothing</p><img src="{url}/wait"><script>
const v = document.getElementById('v');
const end = text => {{ document.getElementById('p').textContent = text; fetch('{url}/done', {{mode: 'no-cors'}}); }};
v.onerror = () => end(`error: ${{v.error.message}}`);
v.onended = () => end(`played ${{v.duration}} s, ${{v.videoWidth}}x${{v.videoHeight}}`);
v.play();
</script>"""


class _Gate(ThreadingHTTPServer):
    """Answers /wait once /done was asked for: what holds up the page's load event, and so the dump of its text."""

    daemon_threads = False

    def __init__(self) -> None:
        self.done = threading.Event()
        super().__init__(("127.0.0.1", 0), _Answer)


class _Answer(BaseHTTPRequestHandler):
    server: _Gate

    def do_GET(self) -> None:
        if self.path == "/done":
            self.server.done.set()
        self.server.done.wait(30)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Nobody reads it."""


@contextmanager
def gate() -> Iterator[str]:
    with _Gate() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.done.set()
            server.shutdown()
            thread.join()


def test_a_browser_plays_a_recording_to_its_end(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.mp4", fps=10)
    for one in results(20):
        recorder.write(one)
    recorder.close()
    page = tmp_path / "page.html"
    with gate() as url:
        page.write_text(PAGE.format(url=url))
        command = ["chromium", *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=True)
    assert "played 2 s, 160x120" in done.stdout, done.stdout
