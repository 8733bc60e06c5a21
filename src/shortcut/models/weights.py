"""Weights into a network: every shape is checked before a number is copied."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from shortcut.errors import ModelError
from shortcut.models.ghosts import nothing_drawn, shapes_only
from shortcut.models.resnet import ResNet, StemName
from shortcut.models.tensorfiles import FLOATS, INTEGERS
from shortcut.models.variants import create_model

COUNTER = ".num_batches_tracked"

Shapes = Mapping[str, tuple[int, ...]]


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


def check_shapes(name: str, shapes: Shapes, *, num_classes: int, stem: StemName) -> None:
    """Whether weights of these shapes would fit the network `name`, before either has any memory:
    what a file says of classes and shapes may be as large as its writer liked.

    Raises:
        ModelError: unknown name, a stem it does not have, or the shapes do not fit.
    """
    with shapes_only():
        own = _shapes(create_model(name, num_classes=num_classes, stem=stem).state_dict())
    optional = {label for label in own if label.endswith(COUNTER) and label not in shapes}
    _refuse_differences({n: s for n, s in own.items() if n not in optional}, shapes)


def check_kinds(tensors: Mapping[str, Tensor]) -> None:
    """Whether counters are whole numbers and all others floating point numbers, as in a network.

    Raises:
        ModelError: one is not; numbers would be rounded or lost when they are copied.
    """
    for label, tensor in tensors.items():
        counts = label.endswith(COUNTER)
        if tensor.dtype not in (INTEGERS if counts else FLOATS):
            wanted = "whole numbers" if counts else "16, 32 or 64 bit floating point numbers"
            raise ModelError(f"`{label}` holds {tensor.dtype}, where {wanted} are needed.")


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
    given, needed = _shapes(tensors), _shapes(own)
    for name in fresh:
        given.pop(name)
    _refuse_differences({name: needed[name] for name in wanted}, given)
    with torch.no_grad():
        for name in wanted:
            own[name].copy_(tensors[name])
    return fresh


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _refuse_differences(needed: Shapes, given: Shapes) -> None:
    wrong = [
        f"`{name}` is {given.get(name, 'absent')} in the weights and "
        f"{needed.get(name, 'absent')} in the network"
        for name in dict.fromkeys([*needed, *given])
        if given.get(name) != needed.get(name)
    ]
    if wrong:
        more = f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
        advice = "Name the network they were made for."
        raise ModelError(f"the weights do not fit the network: {wrong[0]}{more}. {advice}")
