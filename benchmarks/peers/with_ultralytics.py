"""ultralytics, yolo11n-cls from scratch at 128 px, with its own defaults and its own `time` limit.

    python with_ultralytics.py DATA SECONDS SEED

It validates on DATA/test while it trains, as its layout asks for; what is printed is the accuracy
of its last weights, so the test part has chosen nothing.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

STARTED = time.monotonic()


def main() -> None:
    """Train within the time, measure once."""
    data, seconds, seed = Path(sys.argv[1]).resolve(), float(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["YOLO_CONFIG_DIR"] = folder
        from ultralytics import YOLO

        model = YOLO("yolo11n-cls.yaml")
        hours = (seconds - (time.monotonic() - STARTED)) / 3600
        model.train(
            data=str(data),
            time=hours,
            imgsz=128,
            seed=seed,
            pretrained=False,
            device="cpu",
            workers=2,
            project=folder,
            name="run",
            plots=False,
            verbose=False,
        )
        epochs = int(model.trainer.epoch) + 1
        took = time.monotonic() - STARTED
        last = YOLO(Path(folder) / "run" / "weights" / "last.pt")
        right = images = 0
        for part in sorted((data / "test").iterdir()):
            files = sorted(str(path) for path in part.iterdir())
            for start in range(0, len(files), 64):
                for result in last.predict(files[start : start + 64], imgsz=128, verbose=False):
                    right += result.names[result.probs.top1] == part.name
                    images += 1
    print(
        json.dumps(
            {"accuracy": right / images, "images": images, "seconds": took, "epochs": epochs}
        )
    )


if __name__ == "__main__":
    main()
