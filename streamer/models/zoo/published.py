"""Models by name: what they are called, where they are published, and what is known of them. Fetches nothing.

The TensorFlow 2 detection zoo's SSD, EfficientDet and CenterNet models, and TensorFlow's own SSD for .tflite. Names and
figures are those of https://github.com/tensorflow/models, research/object_detection/g3doc/tf2_detection_zoo.md, at
302a80d. Called by finding.py and by the verb models.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

STORE = "https://storage.googleapis.com/download.tensorflow.org/models/"
"""The zoo's page links to http://download.tensorflow.org; this is the same store behind a certificate, which matters
where no checksum is published."""

_LINKED = re.compile(r"https?://download\.tensorflow\.org/models/")

ARCHIVE_ENDINGS = (".tar.gz", ".tgz", ".zip")


@dataclass(frozen=True, slots=True)
class ZooModel:
    """A published model.

    input_size_px: (width, height) that it was trained for.
    coco_map: COCO mAP of its boxes, 0 to 100, as the zoo states it; None where it states none.
    sha256: of the archive, where one is published. size_bytes: of the archive, where it is known.
    """

    name: str
    url: str
    about: str
    input_size_px: tuple[int, int]
    coco_map: float | None = None
    sha256: str | None = None
    size_bytes: int | None = None

    @property
    def stem(self) -> str:
        """The archive's name without its ending, which is also the folder inside it."""
        name = PurePosixPath(self.url).name
        return next(name.removesuffix(ending) for ending in ARCHIVE_ENDINGS if name.endswith(ending))


_TF2_ZOO = """
ssd_mobilenet_v2_320 20200711/ssd_mobilenet_v2_320x320_coco17_tpu-8 320 20.2 -
ssd_mobilenet_v2_fpnlite_320 20200711/ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8 320 22.2 -
ssd_mobilenet_v2_fpnlite_640 20200711/ssd_mobilenet_v2_fpnlite_640x640_coco17_tpu-8 640 28.2 -
ssd_mobilenet_v1_fpn_640 20200711/ssd_mobilenet_v1_fpn_640x640_coco17_tpu-8 640 29.1 -
ssd_resnet50_v1_fpn_640 20200711/ssd_resnet50_v1_fpn_640x640_coco17_tpu-8 640 34.3 -
ssd_resnet50_v1_fpn_1024 20200711/ssd_resnet50_v1_fpn_1024x1024_coco17_tpu-8 1024 38.3 -
ssd_resnet101_v1_fpn_640 20200711/ssd_resnet101_v1_fpn_640x640_coco17_tpu-8 640 35.6 -
ssd_resnet101_v1_fpn_1024 20200711/ssd_resnet101_v1_fpn_1024x1024_coco17_tpu-8 1024 39.5 -
ssd_resnet152_v1_fpn_640 20200711/ssd_resnet152_v1_fpn_640x640_coco17_tpu-8 640 35.4 -
ssd_resnet152_v1_fpn_1024 20200711/ssd_resnet152_v1_fpn_1024x1024_coco17_tpu-8 1024 39.6 -
efficientdet_d0 20200711/efficientdet_d0_coco17_tpu-32 512 33.6 -
efficientdet_d1 20200711/efficientdet_d1_coco17_tpu-32 640 38.4 -
efficientdet_d2 20200711/efficientdet_d2_coco17_tpu-32 768 41.8 -
efficientdet_d3 20200711/efficientdet_d3_coco17_tpu-32 896 45.4 92858658
efficientdet_d4 20200711/efficientdet_d4_coco17_tpu-32 1024 48.5 -
efficientdet_d5 20200711/efficientdet_d5_coco17_tpu-32 1280 49.7 -
efficientdet_d6 20200711/efficientdet_d6_coco17_tpu-32 1280 50.5 -
efficientdet_d7 20200711/efficientdet_d7_coco17_tpu-32 1536 51.2 -
centernet_mobilenet_v2_fpn_512 20210210/centernet_mobilenetv2fpn_512x512_coco17_od 512 23.4 -
centernet_mobilenet_v2_fpn_512_keypoints 20210210/centernet_mobilenetv2fpn_512x512_coco17_kpts 512 - -
centernet_resnet50_v1_fpn_512 20200711/centernet_resnet50_v1_fpn_512x512_coco17_tpu-8 512 31.2 -
centernet_resnet50_v1_fpn_512_keypoints 20200711/centernet_resnet50_v1_fpn_512x512_kpts_coco17_tpu-8 512 29.3 -
centernet_resnet50_v2_512 20200711/centernet_resnet50_v2_512x512_coco17_tpu-8 512 29.5 -
centernet_resnet50_v2_512_keypoints 20200711/centernet_resnet50_v2_512x512_kpts_coco17_tpu-8 512 27.6 -
centernet_resnet101_v1_fpn_512 20200711/centernet_resnet101_v1_fpn_512x512_coco17_tpu-8 512 34.2 -
centernet_hg104_512 20200713/centernet_hg104_512x512_coco17_tpu-8 512 41.9 -
centernet_hg104_512_keypoints 20200711/centernet_hg104_512x512_kpts_coco17_tpu-32 512 40.0 -
centernet_hg104_1024 20200713/centernet_hg104_1024x1024_coco17_tpu-32 1024 44.5 -
centernet_hg104_1024_keypoints 20200711/centernet_hg104_1024x1024_kpts_coco17_tpu-32 1024 42.8 -
"""
"""Name, release and archive, side in pixels, COCO mAP of boxes, bytes as far as the log of a download told them."""

_FAMILIES = {"ssd": "SSD", "efficientdet": "EfficientDet", "centernet": "CenterNet"}

_TFLITE = ZooModel(
    name="coco_ssd_mobilenet_v1_tflite",
    url=f"{STORE}tflite/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.zip",
    about="SSD as .tflite",
    input_size_px=(300, 300),
    sha256="a809cd290b4d6a2e8a9d5dad076e0bd695b8091974e0eed1052b480b2f21b6dc",
)
"""The checksum is the one in TensorFlow's own Bazel workspace."""


@cache
def zoo_models() -> dict[str, ZooModel]:
    """Every published model by name, in the order in which people are told of them."""
    models = [_published(line) for line in _TF2_ZOO.split("\n") if line]
    return {model.name: model for model in (*models, _TFLITE)}


def zoo_model(name: str) -> ZooModel | None:
    """The model of that name; its archive's, without the ending, is one too."""
    known = zoo_models()
    if name in known:
        return known[name]
    return next((model for model in known.values() if model.stem == name), None)


def zoo_model_at(url: str) -> ZooModel | None:
    """The model that is published at `url`, also where that is the link on the zoo's own page."""
    at_store = _LINKED.sub(STORE, url)
    return next((model for model in zoo_models().values() if model.url == at_store), None)


def nearest_names(name: str, *, also: Iterable[str] = ()) -> list[str]:
    """At most three names that somebody who wrote `name` may have meant, the nearest first. also: further names."""
    wanted = name.casefold().replace("-", "_")[:64]
    known = [*zoo_models(), *also]
    beginning = [other for other in known if other.startswith(wanted)] if len(wanted) > 2 else []
    return list(dict.fromkeys([*difflib.get_close_matches(wanted, known, n=3, cutoff=0.6), *beginning]))[:3]


def _published(line: str) -> ZooModel:
    name, archive, side_px, coco_map, size_bytes = line.split()
    return ZooModel(
        name=name,
        url=f"{STORE}object_detection/tf2/{archive}.tar.gz",
        about=_FAMILIES[name.split("_")[0]] + (", keypoints too" if name.endswith("_keypoints") else ""),
        input_size_px=(int(side_px), int(side_px)),
        coco_map=None if coco_map == "-" else float(coco_map),
        size_bytes=None if size_bytes == "-" else int(size_bytes),
    )
