"""Weights into a network: every shape is checked before a number is copied."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from shortcut.errors import ModelError
from shortcut.models.ghosts import nothing_drawn
from shortcut.models.resnet import ResNet, StemName
from shortcut.models.variants import create_model

COUNTER = ".num_batches_tracked"


def filled_model(
    name: str, tensors: Mapping[str, Tensor], *, num_classes: int, stem: StemName
) -> ResNet:
    """The network `name` with these weights, on the CPU, in evaluation mode and float32.

    Its memory layout is channels last, the faster one for prediction.

    Raises:
        ModelError: unknown name, a stem it does not have, or the weights do not fit.
    """
    with nothing_drawn():
        model = create_model(name, num_classes=num_classes, stem=stem)
    load_matching(model, tensors, new_head=False)
    return model.to(memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue]


def load_matching(model: nn.Module, tensors: Mapping[str, Tensor], *, new_head: bool) -> list[str]:
    """Copy `tensors` into `model`; all shapes are checked before anything is copied.

    Files from before torch 0.4.1 lack `num_batches_tracked`: the model's own counters stay.

    Args:
        model: the network, on any device.
        tensors: by name, as in a state dict.
        new_head: leave out `fc` where its shape differs, as it does for other classes.

    Returns:
        Names of the tensors left as they were initialised: none, or those of `fc`.

    Raises:
        ModelError: one is missing, unexpected or of another shape; the model is unchanged.
    """
    own: dict[str, Tensor] = model.state_dict()
    head = [name for name in own if name.startswith("fc.") and name in tensors]
    # Weight and bias go together: either means nothing without the other.
    swap = new_head and any(tensors[name].shape != own[name].shape for name in head)
    fresh = head if swap else []
    optional = {name for name in own if name.endswith(COUNTER) and name not in tensors}
    wanted = [name for name in own if name not in fresh and name not in optional]
    wrong: list[str] = []
    for name in dict.fromkeys([*wanted, *tensors]):
        given, needed = _shape(tensors.get(name)), _shape(own.get(name))
        if name not in fresh and given != needed:
            wrong.append(f"`{name}` is {given} in the weights and {needed} in the network")
    if wrong:
        more = f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
        advice = "Name the network they were made for."
        raise ModelError(f"the weights do not fit the network: {wrong[0]}{more}. {advice}")
    with torch.no_grad():
        for name in wanted:
            own[name].copy_(tensors[name])
    return fresh


def _shape(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else str(tuple(tensor.shape))
