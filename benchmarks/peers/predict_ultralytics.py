"""Answers of ultralytics' smallest classifier, untrained, as its documentation asks for them:
SIZE TIMES FILE...; once with a single FILE where TIMES is 0."""

import json
import statistics
import sys
import time

from ultralytics import YOLO, settings

settings.update({"sync": False})
size, times, files = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
model = YOLO("yolo11n-cls.yaml", task="classify")
if not times:
    (answer,) = model.predict(files[0], imgsz=size, verbose=False)
    print(answer.probs.top1)
    sys.exit()
found = {}
for batch in (1, 32):
    seconds = []
    for _ in range(times + 1):
        started = time.perf_counter()
        model.predict(files[:batch], imgsz=size, batch=batch, verbose=False)
        seconds.append(time.perf_counter() - started)
    found[f"file {batch}"] = 1000 * statistics.median(seconds[1:])
print(json.dumps(found))
