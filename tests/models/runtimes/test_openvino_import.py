"""OpenVINO is imported without anything being told to anybody."""

import subprocess
import sys

PROGRAM = """
import sys, threading
from streamer.models.runtimes import openvino
print(openvino.devices()[0], "openvino_telemetry" in sys.modules, threading.active_count())
"""


def test_its_import_is_reported_to_nobody() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout.split() == ["CPU", "False", "1"]
