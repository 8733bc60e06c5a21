"""A recipe that trains in a second: the smallest network on the smallest pictures."""

from pathlib import Path

TINY = """\
# Expect 100 % on two colours within a second.
name: tiny
model: {name: resnet20}
data: {image_size: 16, resize: 18, val_fraction: 0.25}
augment: {crop: {name: shift}, flip: true}
optim: {name: adamw, lr: 0.01}
schedule: {name: onecycle}
train: {epochs: 3, batch_size: 6, precision: fp32}
"""


def write_tiny_recipe(folder: Path) -> Path:
    """TINY as a file."""
    path = folder / "tiny.yaml"
    path.write_text(TINY, "utf-8")
    return path
