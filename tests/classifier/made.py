"""Classifiers and pictures that no training gave."""

import io

import numpy as np
import torch
from PIL import Image
from torch import nn

from shortcut.classifier import Classifier
from shortcut.data.preprocess import Preprocess
from shortcut.models import create_model

CLASSES = ("hot dog", "猫", 'Käse "blau"\n', "🐶")


def make(
    network: str = "resnet20", stem: str = "small", size: int = 16, classes: tuple = CLASSES
) -> Classifier:
    """A classifier with weights and running statistics that no initialisation would give."""
    torch.manual_seed(0)
    model = create_model(network, num_classes=len(classes), stem=stem)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            module.num_batches_tracked += 7
    return Classifier(model, network, stem, classes, Preprocess(size, size + 4))


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()
