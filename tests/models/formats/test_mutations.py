"""Damaged frozen graphs and Keras files are refused or harmless; none ends the process or leaves a file."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.figures import report
from tests.frozen_graphs import api_graph, save_graph
from tests.keras_models import save_keras

ROOT = Path(__file__).resolve().parents[3]

NUMBER = 50


@pytest.mark.parametrize("name", ["graph.pb", "net.keras", "net.h5"])
def test_fifty_damaged_files_end_no_process(tmp_path: Path, name: str) -> None:
    whole = tmp_path / name
    save_graph(whole, api_graph) if whole.suffix == ".pb" else save_keras(whole)
    folder = tmp_path / "damaged"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.models.formats.mutations_child", str(folder), str(whole), "0", str(NUMBER)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    codes = [line.split()[1] for line in done.stdout.splitlines()]
    lived = done.returncode == 0 and len(codes) == NUMBER
    figure = f"{NUMBER} of {whole.suffix}: {codes.count('4')} refused, {codes.count('0')} harmless"
    report(27, figure, line="0 aborts", passed=lived)
    assert done.returncode == 0, (done.stdout[-300:], done.stderr[-300:])
    assert len(codes) == NUMBER
    assert set(codes) <= {"0", "4"}
    assert codes.count("4") >= NUMBER // 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["damaged", name])
    assert len(list(folder.iterdir())) == NUMBER
