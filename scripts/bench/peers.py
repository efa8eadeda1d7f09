#!/usr/bin/env python3
"""streamer beside what else one would take: one SavedModel, one clip, one machine, in turns, each in its own process.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r scripts/bench/peers-requirements.txt
    PYTHONPATH=$PWD /tmp/peers/bin/python scripts/bench/peers.py MODEL CLIP [--frames 200] [--repeats 5] [--only NAME]

All but streamer call the signature of TensorFlow. A run is measured from the first frame read until the file is closed,
with the model loaded and warm; the figures are medians. Each file is read again: a peer that loses frames is marked.
The last two rows have nothing around the model: its own calls on one prepared frame, which is what no loop can beat.
"""

# ruff: noqa: PLC0415 - each peer has libraries of its own, in a process of its own

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from streamer.benchmark.copied_loop import Detect, Found, Picture, annotate, loop, saved_model, warm_up
from streamer.benchmark.figures import cores, cpu_name

CONF = 0.5
BASE = "copied loop"


def in_rgb(frame: Picture) -> Picture:
    """As the model wants it."""
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)


def rate_and_size(clip: Path) -> tuple[float, tuple[int, int]]:
    """Frames a second, and (width, height)."""
    capture = cv2.VideoCapture(str(clip))
    fps = capture.get(cv2.CAP_PROP_FPS)
    size_px = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    capture.release()
    return fps, size_px


def warmed(model: Path, clip: Path) -> Detect:
    """The signature, called before."""
    detect = saved_model(model)
    warm_up(detect, size_px=rate_and_size(clip)[1])
    return detect


def run_copied_loop(model: Path, clip: Path, out: Path, frames: int) -> float:
    """cv2.VideoCapture, cv2.VideoWriter, one frame after another."""
    when = loop(str(clip), saved_model(model), out, conf=CONF, frames=frames)
    return when["closed_s"] - when["first_s"]


def run_imutils(model: Path, clip: Path, out: Path, frames: int) -> float:
    """FileVideoStream: frames are read ahead on a thread."""
    from imutils.video import FileVideoStream

    detect = warmed(model, clip)
    fps, size_px = rate_and_size(clip)
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), fps, size_px)
    stream = FileVideoStream(str(clip)).start()
    began_s, count = 0.0, 0
    while count < frames and stream.more():
        frame = stream.read()
        if frame is None:
            break
        began_s = began_s or time.monotonic()
        annotate(frame, detect(in_rgb(frame)), conf=CONF)
        writer.write(frame)
        count += 1
    writer.release()
    ended_s = time.monotonic()
    stream.stop()
    return ended_s - began_s


def run_vidgear(model: Path, clip: Path, out: Path, frames: int) -> float:
    """CamGear reads ahead on a thread; WriteGear in its compression mode pipes frames to an ffmpeg of the system."""
    from vidgear.gears import CamGear, WriteGear

    detect = warmed(model, clip)
    fps, _ = rate_and_size(clip)
    writer = WriteGear(output=str(out), compression_mode=True, logging=False, **{"-input_framerate": fps})
    stream = CamGear(source=str(clip), logging=False).start()
    began_s, count = 0.0, 0
    while count < frames:
        frame = stream.read()
        if frame is None:
            break
        began_s = began_s or time.monotonic()
        annotate(frame, detect(in_rgb(frame)), conf=CONF)
        writer.write(frame)
        count += 1
    writer.close()
    ended_s = time.monotonic()
    stream.stop()
    return ended_s - began_s


def run_supervision(model: Path, clip: Path, out: Path, frames: int) -> float:
    """process_video with its annotators: it reads and writes on threads of its own."""
    import supervision as sv

    detect = warmed(model, clip)
    boxes, labels = sv.BoxAnnotator(), sv.LabelAnnotator()
    began_s: list[float] = []

    def annotated(frame: Picture, index: int) -> Picture:
        del index
        began_s.append(time.monotonic())
        found = _sv_detections(sv, detect(in_rgb(frame)), frame)
        names = [f"{number}: {score:.2f}" for number, score in zip(found.class_id, found.confidence, strict=True)]
        return labels.annotate(boxes.annotate(frame, found), found, labels=names)

    sv.process_video(source_path=str(clip), target_path=str(out), callback=annotated, max_frames=frames)
    return time.monotonic() - began_s[0]


def _sv_detections(sv: Any, found: Found, frame: Picture) -> Any:  # noqa: ANN401
    height, width = frame.shape[:2]
    rows, scores, classes = found
    kept = scores >= CONF
    xyxy = rows[kept][:, [1, 0, 3, 2]] * np.array([width, height, width, height])
    return sv.Detections(xyxy=xyxy, confidence=scores[kept], class_id=classes[kept].astype(int))


def run_streamer(model: Path, clip: Path, out: Path, frames: int) -> float:
    """What `streamer run` does, its report of every frame included."""
    from streamer.benchmark.child import run
    from streamer.benchmark.runs import Job

    did = run(Job(source=str(clip), model=model, frames=frames), out.parent, spawned_ns=time.monotonic_ns())
    return did.took_s


def run_bare_signature(model: Path, clip: Path, out: Path, frames: int) -> float:
    """The signature on one tensor, again and again."""
    import tensorflow as tf

    del out
    serve = tf.saved_model.load(str(model)).signatures["serving_default"]
    ((name, _),) = serve.structured_input_signature[1].items()
    tensor = tf.constant(first_frame(clip)[np.newaxis])

    def call() -> None:
        serve(**{name: tensor})["detection_scores"].numpy()

    call()
    call()
    began_s = time.monotonic()
    for _ in range(frames):
        call()
    return time.monotonic() - began_s


def run_bare_runtime(model: Path, clip: Path, out: Path, frames: int) -> float:
    """What streamer runs the model with, on one prepared tensor, as many calls at once as the detector takes."""
    from streamer.models import load_detector

    del out
    detector = load_detector(model, input_size_px=rate_and_size(clip)[1])
    run = detector._run  # noqa: SLF001
    tensor = run.prepare([first_frame(clip)]).copy()
    with ThreadPoolExecutor(detector.concurrency) as pool:
        list(pool.map(lambda _: run.infer(tensor), range(2 * detector.concurrency)))
        began_s = time.monotonic()
        list(pool.map(lambda _: run.infer(tensor), range(frames)))
        return time.monotonic() - began_s


def first_frame(clip: Path) -> Picture:
    """As the model wants it."""
    capture = cv2.VideoCapture(str(clip))
    _, frame = capture.read()
    capture.release()
    return in_rgb(np.asarray(frame, np.uint8))


Peer = Callable[[Path, Path, Path, int], float]
"""Model, clip, file to write, frames: seconds that it took."""

PEERS: dict[str, tuple[Peer, str]] = {
    BASE: (run_copied_loop, "opencv-python"),
    "imutils FileVideoStream": (run_imutils, "imutils"),
    "vidgear CamGear + WriteGear": (run_vidgear, "vidgear"),
    "supervision process_video": (run_supervision, "supervision"),
    "streamer": (run_streamer, ""),
    "bare: TensorFlow signature": (run_bare_signature, "tensorflow"),
    "bare: streamer's runtime": (run_bare_runtime, ""),
}


def readable(path: Path) -> int:
    """How many frames of a file can be read."""
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count


def child(asked: argparse.Namespace) -> None:
    """One run of one peer, in this process; its figures go where the parent said."""
    peer, _ = PEERS[asked.peer]
    took_s = peer(asked.model, asked.clip, asked.figures.parent / "out.mp4", asked.frames)
    asked.figures.write_text(json.dumps({"took_s": took_s}))
    sys.stderr.flush()
    os._exit(0)


def run_once(name: str, asked: argparse.Namespace) -> float:
    """Frames a second of one run in a process of its own. Exits where it fails or its file is not whole."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        figures = Path(folder) / "figures.json"
        command = [sys.executable, __file__, str(asked.model), str(asked.clip), "--frames", str(asked.frames)]
        done = subprocess.run(
            [*command, "--peer", name, "--figures", str(figures)], capture_output=True, check=False, cwd=folder
        )
        if not figures.exists():
            raise SystemExit(f"{name} failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
        written = Path(folder) / "out.mp4"
        if not name.startswith("bare") and (count := readable(written)) != asked.frames:
            raise SystemExit(f"{name}: {count} of {asked.frames} frames can be read in what it wrote")
        return asked.frames / float(json.loads(figures.read_text())["took_s"])


def measured(asked: argparse.Namespace) -> dict[str, list[float]]:
    """All in turns, so that what else the machine does hits each alike."""
    names = [name for name in PEERS if not asked.only or name in (BASE, *asked.only)]
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(asked.repeats):
        for name in names:
            rates[name].append(run_once(name, asked))
            print(f"{number + 1} of {asked.repeats}: {name} {rates[name][-1]:.2f} fps", file=sys.stderr)
    return rates


def table(rates: dict[str, list[float]]) -> Iterator[str]:
    """In Markdown; the ratio is the median of those of each turn."""
    yield "| | fps | least to most | times the copied loop | version |"
    yield "|---|---|---|---|---|"
    for name, fps in rates.items():
        ratio = median(one / base for one, base in zip(fps, rates[BASE], strict=True))
        package = PEERS[name][1]
        which = f"{package} {version(package)}" if package else "this checkout"
        yield f"| {name} | {median(fps):.1f} | {min(fps):.1f} to {max(fps):.1f} | {ratio:.2f} | {which} |"


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=lambda text: Path(text).resolve(), help="the folder of a SavedModel")
    parser.add_argument("clip", type=lambda text: Path(text).resolve())
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(PEERS), metavar="NAME", help=", ".join(PEERS))
    parser.add_argument("--peer", choices=list(PEERS), help=argparse.SUPPRESS)
    parser.add_argument("--figures", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peer:
        child(asked)
    rates = measured(asked)
    print(f"{asked.model.name}, {asked.clip.name}, {asked.frames} frames, medians of {asked.repeats}; ", end="")
    print(f"{cpu_name()}, {cores()} cores, {platform.system()}, Python {platform.python_version()}, ", end="")
    print(f"TensorFlow {version('tensorflow')}\n")
    print("\n".join(table(rates)))


if __name__ == "__main__":
    main()
