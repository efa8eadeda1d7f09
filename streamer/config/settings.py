"""Every setting of `streamer run`, once: flags, environment, settings files, `--help` and their checks come from here.

It reads none of them (that is layers.py) and imports nothing that does.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from streamer.config.values import Bitrate, FilePath, Kept, Names, Place, Seconds, Span, Text
from streamer.style import BoxStyle, ThemeName

Group = Literal["source", "model", "flow", "view", "record", "report", "scene", "itself"]

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What people are told of a setting.

    unit: `s`, `px` or `fps`. short: a flag of one letter. metavar: what its value is called in `--help`.
    allowed: which values it takes, where its type does not say so. in_file: whether a settings file may hold it.
    """

    group: Group
    help: str
    unit: str = ""
    short: str = ""
    metavar: str = ""
    allowed: str = ""
    in_file: bool = True


def _time(text: str) -> Setting:
    return Setting("source", text, unit="s", metavar="TIME", allowed="a time such as 90, 1:30 or 0:01:30.5")


class Settings(BaseModel):
    """The settings of one run, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    source: Annotated[
        Text | None,
        Setting(
            "source",
            "A camera (0, cam:NAME), rtsp:// http:// ..., clip.mp4, folder/, '*.jpg', list.txt, - or test:.",
            metavar="URI",
        ),
    ] = None
    width: Annotated[int | None, Setting("source", "Width asked of a camera.", unit="px"), Field(ge=1, le=16384)] = None
    height: Annotated[int | None, Setting("source", "Height asked of a camera.", unit="px"), Field(ge=1, le=16384)] = (
        None
    )
    fps: Annotated[
        float | None, Setting("source", "Rate asked of a camera, or of the screen.", unit="fps"), Field(gt=0, le=1000)
    ] = None
    fourcc: Annotated[
        Text | None,
        Setting("source", "A camera's pixel format, such as MJPG.", metavar="CODE", allowed="four characters"),
        Field(min_length=4, max_length=4),
    ] = None
    camera_backend: Annotated[
        Literal["any", "v4l2", "msmf", "dshow", "avfoundation", "gstreamer"] | None,
        Setting("source", "OpenCV's way to a camera.", metavar="NAME"),
    ] = None
    camera_control: Annotated[
        Names,
        Setting(
            "source",
            "Exposure, gain, focus, ... of a camera, in its own numbers.",
            metavar="NAME=VALUE",
            allowed="NAME=VALUE with commas between",
        ),
    ] = ()
    source_options: Annotated[
        Names,
        Setting(
            "source",
            "What only this kind of source knows: FFmpeg's options of a stream; size=640x480 of raw pictures on -.",
            metavar="NAME=VALUE",
            allowed="NAME=VALUE with commas between",
        ),
    ] = ()
    rtsp_transport: Annotated[
        Literal["tcp", "udp"], Setting("source", "How RTSP travels; by UDP pictures may be lost.")
    ] = "tcp"
    open_timeout: Annotated[
        float, Setting("source", "How long a stream may take to answer.", unit="s"), Field(gt=0, le=600)
    ] = 5.0
    read_timeout: Annotated[
        float, Setting("source", "How long a stream may give nothing before it is lost.", unit="s"), Field(gt=0, le=600)
    ] = 5.0
    reconnect: Annotated[
        bool | None,
        Setting(
            "source",
            "Open a camera or a live stream again when it is lost; said so, also wait for one that is not there yet. "
            "If not given, once it was there.",
        ),
    ] = None
    reconnect_max: Annotated[
        int | None, Setting("source", "Give up after so many failed tries in a row."), Field(ge=0, le=1_000_000)
    ] = None
    max_pixels: Annotated[
        int,
        Setting("source", "Refuse larger pictures, of files and streams, before they are decoded.", unit="px"),
        Field(ge=1, le=1 << 31),
    ] = 50_000_000
    start: Annotated[Seconds | None, _time("Begin a file here.")] = None
    end: Annotated[Seconds | None, _time("End a file here.")] = None
    duration: Annotated[Seconds | None, _time("Stop after this much of it.")] = None
    stride: Annotated[int, Setting("source", "Take every Nth frame of a file."), Field(ge=1, le=1_000_000)] = 1
    loop: Annotated[bool, Setting("source", "Begin a file again at its end.")] = False
    realtime: Annotated[
        bool, Setting("source", "Play a file at its own speed, as if it were a camera: the newest frame wins.")
    ] = False

    model: Annotated[
        FilePath | None,
        Setting(
            "model",
            "A SavedModel's folder, .pb, .keras, .h5, .tflite, an archive, or a name (streamer models list); if not "
            "given, the one inside.",
            short="-m",
            metavar="PATH or NAME",
            allowed="a path or a name",
        ),
    ] = None
    labels: Annotated[FilePath | None, Setting("model", "Class names: pbtxt, txt or json.", metavar="FILE")] = None
    card: Annotated[
        FilePath | None,
        Setting("model", "What the model's file cannot say; if not given, looked for beside it.", metavar="FILE"),
    ] = None
    conf: Annotated[float, Setting("model", "Lowest score that is reported."), Field(ge=0, le=1)] = 0.5
    iou: Annotated[
        float | None,
        Setting("model", "Overlap above which the weaker box is left out, for models that leave it to us."),
        Field(ge=0, le=1),
    ] = None
    classes: Annotated[
        Names, Setting("model", "Only these classes.", metavar="NAMES", allowed="names with commas between")
    ] = ()
    max_det: Annotated[int, Setting("model", "The most boxes on a frame."), Field(ge=1, le=300)] = 100
    signature: Annotated[Text | None, Setting("model", "Which signature to call.", metavar="NAME")] = None
    label_offset: Annotated[
        int | None,
        Setting("model", "Added to the ids of the label file; found out if not given."),
        Field(ge=-1000, le=1000),
    ] = None
    scale: Annotated[
        Literal["auto", "0..1", "-1..1", "0..255"], Setting("model", "The pixel values that a float model takes.")
    ] = "auto"
    channel_order: Annotated[
        Literal["rgb", "bgr"] | None, Setting("model", "The order of a pixel's channels that the model takes.")
    ] = None
    layout: Annotated[
        Literal["nhwc", "nchw"] | None, Setting("model", "Where the channels stand in the model's input.")
    ] = None
    input_size: Annotated[
        Text | None,
        Setting(
            "model", "Size that a model of any size is given.", unit="px", metavar="WxH", allowed="a size: 640x384"
        ),
        Field(pattern=r"^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$"),
    ] = None
    box_order: Annotated[
        Literal["yxyx", "xyxy", "cxcywh", "xywh"] | None, Setting("model", "What the four numbers of a box are.")
    ] = None
    box_unit: Annotated[
        Literal["fraction", "px"] | None, Setting("model", "What the model gives boxes in: 0..1, or px of its input.")
    ] = None
    fit: Annotated[
        Literal["stretch", "letterbox", "crop"] | None,
        Setting("model", "How a frame of another shape is put in: distorted, with black beside it, its edges cut."),
    ] = None
    runtime: Annotated[
        Literal["auto", "saved", "tensorflow", "openvino", "litert", "opencv"],
        Setting(
            "model",
            "What runs the model; auto: the fastest that sees the same as the model as it was saved, measured once; "
            "saved: just that.",
        ),
    ] = "auto"
    threads: Annotated[
        int | None,
        Setting("model", "Cores that the model may take; if not given, all for files, all but one for a camera."),
        Field(ge=1, le=1024),
    ] = None
    device: Annotated[
        Literal["auto", "cpu", "gpu"], Setting("model", "Where the model runs; auto takes a GPU that is faster.")
    ] = "auto"
    gpu_mem: Annotated[
        int | None,
        Setting("model", "The most of a GPU's memory that TensorFlow takes.", unit="MB"),
        Field(ge=64, le=1_000_000),
    ] = None
    int8: Annotated[
        bool, Setting("model", "Allow a form of the model with 8-bit numbers: faster, boxes a little different.")
    ] = False
    trust_model: Annotated[
        bool,
        Setting("model", "Run a model that does more than detectors need, such as reading files.", in_file=False),
    ] = False

    policy: Annotated[
        Literal["auto", "all", "latest"],
        Setting("flow", "Detect on all frames or on the latest; auto: all of a file, the latest of a camera."),
    ] = "auto"
    detect_every: Annotated[
        int, Setting("flow", "Run the model on every Nth frame only."), Field(ge=1, le=1_000_000)
    ] = 1

    show: Annotated[bool | None, Setting("view", "A window; if not given, where there is a display.")] = None
    view_width: Annotated[int | None, Setting("view", "Width of the view.", unit="px"), Field(ge=64, le=16384)] = None
    full_screen: Annotated[bool, Setting("view", "Fill the screen.")] = False
    panel: Annotated[bool, Setting("view", "Rates, latency and drops in the view.")] = True
    hide_labels: Annotated[bool, Setting("view", "Draw boxes without names.")] = False
    hide_conf: Annotated[bool, Setting("view", "Draw names without scores.")] = False
    hide_tracks: Annotated[bool, Setting("view", "Draw names without the numbers of tracks.")] = False
    theme: Annotated[ThemeName, Setting("view", "What boxes and labels look like.")] = "default"
    box_style: Annotated[BoxStyle, Setting("view", "Draw whole boxes, or their corners.")] = "full"
    line_width: Annotated[
        int, Setting("view", "Width of a box's line; 0: by the size of the picture.", unit="px"), Field(ge=0, le=64)
    ] = 0
    font: Annotated[
        FilePath | None,
        Setting("view", "A font for labels; if not given, those of OpenCV and of the system.", metavar="FILE"),
    ] = None
    timestamp: Annotated[
        bool, Setting("view", "Burn in the time: of day for a live stream, else that in the media.")
    ] = False
    source_name: Annotated[bool, Setting("view", "Burn in the name of the source.")] = False

    record: Annotated[
        Place | None,
        Setting("record", "Annotated video or pictures; the same as OUT.", short="-o", metavar="OUT", allowed="a path"),
    ] = None
    codec: Annotated[
        Literal["h264", "hevc", "av1", "vp9", "mjpeg"] | None,
        Setting("record", "How the video is coded; if not given, h264, and vp9 in .webm.", metavar="NAME"),
    ] = None
    encoder: Annotated[
        Literal["auto", "software", "nvenc", "qsv", "videotoolbox"],
        Setting("record", "What codes it; auto: hardware that really opens, else software."),
    ] = "auto"
    crf: Annotated[
        int | None,
        Setting("record", "Quality: lower is better and larger; if not given, hard to tell from the original."),
        Field(ge=0, le=63),
    ] = None
    preset: Annotated[Preset, Setting("record", "Speed of the encoder against size.", metavar="NAME")] = "veryfast"
    bitrate: Annotated[
        Bitrate | None,
        Setting("record", "So many bits a second, in place of a quality.", metavar="RATE", allowed="a rate: 4M, 800k"),
    ] = None
    audio: Annotated[
        Literal["copy", "encode", "none"],
        Setting("record", "A file's sound: as it is where OUT can hold it, coded anew, or left out."),
    ] = "copy"
    segment: Annotated[
        Span | None,
        Setting("record", "A new file so often, on the clock.", metavar="TIME", allowed="a time: 10m, 1h, 90"),
    ] = None
    keep: Annotated[
        Kept | None,
        Setting("record", "How much of the files stays: the oldest go.", metavar="SIZE or TIME", allowed="20G or 7d"),
    ] = None
    clip_on: Annotated[
        Text | None,
        Setting(
            "record",
            "Keep clips of what happens: person, 'count(car) >= 2', 'person score>.8 and not dog'.",
            metavar="CONDITION",
            allowed="a condition",
        ),
    ] = None
    pre: Annotated[
        Seconds, Setting("record", "What a clip has from before.", unit="s", metavar="TIME", allowed="a time")
    ] = 5.0
    post: Annotated[
        Seconds, Setting("record", "What a clip has from after.", unit="s", metavar="TIME", allowed="a time")
    ] = 5.0
    clip_dir: Annotated[
        FilePath | None, Setting("record", "Where clips go; if not given, beside OUT.", metavar="DIR")
    ] = None
    box_timing: Annotated[
        Literal["now", "smooth"],
        Setting("record", "Boxes of a recording: those of the view, or, smooth, between one detection and the next."),
    ] = "now"
    force: Annotated[bool, Setting("record", "Overwrite what is there.")] = False
    snapshot_dir: Annotated[FilePath, Setting("record", "Where the key s puts pictures.", metavar="DIR")] = Path()

    jsonl: Annotated[FilePath | None, Setting("report", "A line of JSON for each frame.", metavar="FILE")] = None
    csv: Annotated[FilePath | None, Setting("report", "A row of CSV for each detection.", metavar="FILE")] = None
    coco: Annotated[FilePath | None, Setting("report", "A data set of COCO.", metavar="FILE")] = None
    mot: Annotated[FilePath | None, Setting("report", "A line of MOTChallenge each.", metavar="FILE")] = None
    summary: Annotated[FilePath | None, Setting("report", "At the end, what happened as JSON.", metavar="FILE")] = None

    blur: Annotated[
        Names,
        Setting("scene", "Blur these classes, such as face.", metavar="NAMES", allowed="names with commas between"),
    ] = ()

    config: Annotated[
        FilePath | None, Setting("itself", "A YAML file of settings.", short="-c", metavar="FILE", in_file=False)
    ] = None
    quiet: Annotated[bool, Setting("itself", "Say nothing but errors.", short="-q")] = False
    verbose: Annotated[bool, Setting("itself", "Say more, and where a bug came from.", short="-v")] = False
    log_json: Annotated[bool, Setting("itself", "Say all of it in lines of JSON.")] = False

    def rivals(self) -> tuple[tuple[str, str], ...]:
        """Pairs of switches that are both on and exclude each other."""
        pairs = []
        if self.quiet and self.verbose:
            pairs.append(("quiet", "verbose"))
        if self.crf is not None and self.bitrate is not None:
            pairs.append(("crf", "bitrate"))
        return tuple(pairs)

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Settings that are right by themselves and wrong together: the name of one, and what is wrong."""
        if self.end is not None and self.end <= (self.start or 0.0):
            yield "end", f"must be later than start ({self.start or 0.0:g} s)"
        if self.duration == 0:
            yield "duration", "must be more than 0 s"
        if any("=" not in option or option.startswith("protocol_") for option in self.source_options):
            yield "source_options", "are name=value, and none that says what a stream may reach"
        if self.keep is not None and self.segment is None and self.clip_on is None:
            yield "keep", "cannot cut one file: segment or clip_on makes several"
        if self.segment is not None and self.record is None:
            yield "segment", "needs a recording: give OUT"
        for one, other in self.rivals():
            yield other, f"cannot be given together with {one}"
        yield from self._shared_places()

    def _shared_places(self) -> Iterator[tuple[str, str]]:
        """What is written must be no place that is read or written besides, however the two are spelled."""
        taken: dict[str, str] = {}
        written = ("record", "jsonl", "csv", "coco", "mot", "summary")
        for name in ("config", "model", "labels", "card", "font", *written):
            path: str | Path | None = getattr(self, name)
            if path is None:
                continue
            other = taken.setdefault(os.path.realpath(path), name)
            if other != name and name in written:
                yield name, f"must be a place of its own, not that of {other}"
