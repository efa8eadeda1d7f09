"""Let the exported SavedModel detect on a split, as a user's program would, for evaluate.py to judge.

    python -m train_detector.run_export model/saved_model results.json --data ../shared/datasets/people/val
    python -m train_detector.evaluate results.json --data ../shared/datasets/people/val

Needs TensorFlow, not PyTorch.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from train_detector.data import TIERS, Photographs


def detect(serve: Any, photographs: Photographs) -> Iterator[dict[str, Any]]:  # noqa: ANN401 (a TensorFlow function)
    """All detections in COCO's result format."""
    for row in range(len(photographs)):
        about = photographs.about(row)
        found = serve(input_tensor=tf.constant(photographs.sample(row).image[None]))
        count = int(found["num_detections"][0])
        size = np.array([about.height_px, about.width_px] * 2, np.float32)
        boxes = found["detection_boxes"][0, :count].numpy() * size
        scores, classes = (found[f"detection_{name}"][0, :count].numpy() for name in ("scores", "classes"))
        for (y1, x1, y2, x2), score, category in zip(boxes.tolist(), scores.tolist(), classes.tolist(), strict=True):
            yield {
                "image_id": about.image_id,
                "category_id": int(category),
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "score": score,
            }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("saved_model", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the split, with annotations.json")
    parser.add_argument("--cache", type=Path, default=Path("../out/cache"))
    arguments = parser.parse_args()
    photographs = Photographs(arguments.data, tiers=TIERS, cache_folder=arguments.cache)
    serve = tf.saved_model.load(str(arguments.saved_model)).signatures["serving_default"]
    arguments.results.write_text(json.dumps(list(detect(serve, photographs))), encoding="utf-8")


if __name__ == "__main__":
    main()
