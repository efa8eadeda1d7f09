"""What is loaded before anything is asked for: neither OpenCV, nor PyAV, nor anything that runs models."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

PROGRAM = """
import json, sys, time
began_s = time.perf_counter()
try:
    {statement}
except SystemExit as leaving:
    assert not leaving.code, leaving.code
took_s = time.perf_counter() - began_s
heavy = ("cv2", "av", "tensorflow", "keras", "openvino", "ai_edge_litert")
loaded = [name for name in heavy if name in sys.modules]
print(json.dumps({{"loaded": loaded, "took_s": took_s}}), file=sys.stderr)
"""

STATEMENTS = {
    "import streamer": "import streamer",
    "streamer --help": "from streamer.cli import main; main(['--help'])",
    "streamer run --help": "from streamer.cli import main; main(['run', '--help'])",
    "streamer inspect --help": "from streamer.cli import main; main(['inspect', '--help'])",
    "streamer bench --help": "from streamer.cli import main; main(['bench', '--help'])",
    "streamer render --help": "from streamer.cli import main; main(['render', '--help'])",
    "streamer clip --help": "from streamer.cli import main; main(['clip', '--help'])",
    "streamer doctor --help": "from streamer.cli import main; main(['doctor', '--help'])",
    "streamer devices --help": "from streamer.cli import main; main(['devices', '--help'])",
    "streamer status": "from streamer.cli import main\n    try: main(['status', 'no such file'])\n"
    "    except SystemExit as leaving: assert leaving.code == 1, leaving.code",
    "streamer --version": "from streamer.cli import main; main(['--version'])",
    "streamer config show": "from streamer.cli import main; main(['config', 'show'])",
    "streamer models list": "from streamer.cli import main; main(['models', 'list'])",
    "streamer with a wrong flag": "from streamer.cli import main\n    try: main(['0', '--conf', '7'])\n"
    "    except SystemExit as leaving: assert leaving.code == 2, leaving.code",
}


@pytest.mark.parametrize("what", list(STATEMENTS))
def test_nothing_heavy_is_loaded(what: str, record_property: Callable[[str, object], None]) -> None:
    program = PROGRAM.format(statement=STATEMENTS[what])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    figures = json.loads(done.stderr.splitlines()[-1])
    record_property("took_s", figures["took_s"])
    assert figures["loaded"] == []


FOR_OPENCV = ("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS")


@pytest.mark.parametrize("module", ["streamer", "streamer.sources.camera", "streamer.cli.devices"])
def test_what_opencv_reads_when_it_is_imported_is_set_before_that(module: str) -> None:
    program = f"""
import os, sys
class Watch:
    def find_spec(self, name, *_):
        if name == "cv2":
            print(*map(os.environ.get, {FOR_OPENCV}))
            sys.meta_path.remove(self)
sys.meta_path.insert(0, Watch())
import {module}, cv2
"""
    bare = {name: value for name, value in os.environ.items() if name not in FOR_OPENCV}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, env=bare
    )
    assert done.stdout.split() == ["2", "0"]
