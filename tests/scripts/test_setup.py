"""scripts/setup: what is there is not installed again, so that a second run needs no network."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")

DPKG = """#!/bin/sh
for name; do
    case " $INSTALLED " in
        *" $name "*) echo "install ok installed" ;;
        *) missing=1 ;;
    esac
done
exit ${missing:-0}
"""
"""As dpkg-query: it fails for any package that it does not know, whatever it says of the others."""


def set_up(root: Path, *, installed: str) -> "subprocess.CompletedProcess[str]":
    """Run scripts/setup in a checkout whose Python packages are there, with a system of these packages."""
    (root / "scripts").mkdir()
    for name in ("scripts/setup", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    programs = root / "bin"
    (root / ".venv/bin").mkdir(parents=True)
    programs.mkdir()
    for path, text in (
        (programs / "dpkg-query", DPKG),
        (programs / "apt-get", f'#!/bin/sh\necho "$@" >>"{root}/apt.log"\n'),
        (root / ".venv/bin/python", "#!/bin/sh\necho pip must not be called >&2\nexit 1\n"),
    ):
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    wanted = hashlib.sha256((root / "setup.cfg").read_bytes() + (root / "pyproject.toml").read_bytes())
    (root / ".venv/installed-for-run").write_text(f"{wanted.hexdigest()}  -\n", encoding="utf-8")
    return subprocess.run(
        ["bash", root / "scripts/setup", "run"],
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "INSTALLED": installed},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("installed", ["libgl1 libglib2.0-0", "libgl1 libglib2.0-0t64"])
def test_what_is_there_under_either_name_is_left_alone(installed: str, tmp_path: Path) -> None:
    done = set_up(tmp_path, installed=installed)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "apt.log").exists()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    done = set_up(tmp_path, installed="libgl1")
    assert done.returncode == 0
    assert "libglib2.0-0" in done.stderr
    assert "libgl1" not in done.stderr
