"""A browser shows of a cut mp4 what was asked for, and none of what its edit list hides."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from streamer.cutting.clip import cut
from tests.clips import DARKEST, STEP, write_clip
from tests.sinks.test_browser import FLAGS, gate

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")

PAGE = """<video id=v muted></video><p id=p>nothing</p><img src="{url}/wait"><script>
const v = document.getElementById('v'), seen = [];
const canvas = new OffscreenCanvas(64, 48).getContext('2d', {{willReadFrequently: true}});
const end = text => {{ document.getElementById('p').textContent = text; fetch('{url}/done', {{mode: 'no-cors'}}); }};
const look = (_, shown) => {{
  canvas.drawImage(v, 0, 0, 64, 48);
  seen.push([canvas.getImageData(32, 24, 1, 1).data[0], shown.mediaTime]);
  v.requestVideoFrameCallback(look);
}};
v.requestVideoFrameCallback(look);
v.onerror = () => end(`error: ${{v.error.message}}`);
v.onended = () => end(JSON.stringify({{duration: v.duration, seen: seen}}));
v.playbackRate = 0.5;
v.src = 'data:video/mp4;base64,{data}';
v.play();
</script>"""


def test_a_browser_shows_the_part_and_nothing_before_or_behind_it(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", frames=40, key_every=12)
    clip = cut(path, tmp_path / "out.mp4", start_s=1.7, end_s=3.1)
    assert clip.hidden_s > 0.4
    page = tmp_path / "page.html"
    with gate() as url:
        page.write_text(PAGE.format(url=url, data=base64.b64encode(clip.path.read_bytes()).decode()))
        command = ["chromium", *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=True)
    told = re.search(r"<p id=\"p\">(.*?)</p>", done.stdout)
    assert told is not None
    shown = json.loads(told[1])
    numbers = {round((grey - DARKEST) / STEP): at_s for grey, at_s in shown["seen"]}
    assert shown["duration"] == pytest.approx(1.4, abs=0.002)
    assert set(numbers) <= set(range(17, 31))  # a busy machine may leave some out
    assert {17, 30} <= set(numbers)
    assert all(at_s == pytest.approx((number - 17) / 10, abs=0.01) for number, at_s in numbers.items())
