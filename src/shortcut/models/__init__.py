"""The networks: `resnet.py` is the paper, `relatives.py` its relatives, `variants.py` the table of
sizes."""

from shortcut.models.resnet import BasicBlock as BasicBlock
from shortcut.models.resnet import Bottleneck as Bottleneck
from shortcut.models.resnet import ResNet as ResNet
from shortcut.models.variants import VARIANTS as VARIANTS
from shortcut.models.variants import choose_stem as choose_stem
from shortcut.models.variants import create_model as create_model
from shortcut.models.variants import find_variant as find_variant
from shortcut.models.variants import list_models as list_models

__all__ = [
    "VARIANTS",
    "BasicBlock",
    "Bottleneck",
    "ResNet",
    "choose_stem",
    "create_model",
    "find_variant",
    "list_models",
]
