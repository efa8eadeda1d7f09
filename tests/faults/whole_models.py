"""Whole models of every form for mutation: real ones where they lie beside the project, and made ones."""

import shutil
from pathlib import Path

from streamer.models import MODEL_INSIDE
from tests.conftest import SHARED
from tests.model_forms import FORMS, save_form
from tests.saved_models import build_ssd_mobilenet

REAL = {
    "real .tflite of faces": ("face_detection_short_range.tflite", ("tflite/face_detection_short_range.tflite",)),
    "real .tflite, slim": ("ulfg_slim-320.tflite", ("tflite/ulfg_slim-320.tflite",)),
    "real frozen graph": ("aizoo_face_mask_detection.pb", ("pb/aizoo_face_mask_detection.pb",)),
    "real pair of OpenCV": (
        "opencv_face_detector.pb",
        ("pb/opencv_face_detector_uint8.pb", "pb/opencv_face_detector.pbtxt"),
    ),
}
"""What --model takes, and the files."""


def gather(folder: Path) -> Path:
    """A folder of folders, as model_fuzz_child.py reads it."""
    folder.mkdir()
    for form in FORMS:
        _enter(folder / f"made {form.replace(' ', '_')}", save_form(form, folder / f"made {form.replace(' ', '_')}"))
    inside = folder / "inside"
    inside.mkdir()
    for name in ("saved_model.pb", "variables"):
        _copy(MODEL_INSIDE / name, inside / "m" / name)
    _enter(inside, inside / "m")
    _enter(folder / "made SSD", build_ssd_mobilenet(folder / "made SSD" / "m"))
    for name, (entry, files) in REAL.items():
        if (SHARED / "models" / files[0]).exists():
            for file in files:
                path = SHARED / "models" / file
                _copy(path, folder / name / Path(entry).with_suffix(path.suffix))
            _enter(folder / name, folder / name / entry)
    return folder


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, to)
    else:
        shutil.copyfile(path, to)


def _enter(folder: Path, model: Path) -> None:
    (folder / "entry").write_text(str(model.relative_to(folder)), encoding="utf-8")
