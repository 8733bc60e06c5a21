"""How much memory a network's layers fill, found without filling any."""

import weakref
from typing import Any

import torch
from torch import Tensor, nn

from shortcut.disk import reason_of
from shortcut.errors import ModelError
from shortcut.models.ghosts import ghost_of
from shortcut.models.tracing import Watcher


def activation_bytes(model: nn.Module, image_size: int, batch: int, *, train: bool) -> int:
    """Memory in bytes for what the layers compute, in float32, weights not counted.

    With `train`, what the forward pass leaves for the backward pass; without, the most that is
    alive at one moment of prediction. The batch itself is counted in both.

    Raises:
        ModelError: if the network does not take such pictures, or cannot learn from so few: batch
            norm needs two values a channel.
    """
    ghost = ghost_of(model).train(train)
    images = torch.empty(batch, 3, image_size, image_size, device="meta")
    with torch.set_grad_enabled(train), _Memory() as memory:
        memory.count(images)
        try:
            outputs = ghost(images)
        except ValueError as error:
            raise ModelError(
                f"training on {batch} of {image_size} pixels is not possible "
                f"({reason_of(error)}). Take a larger `--batch` or larger pictures."
            ) from error
        left = memory.alive
    del outputs
    return left if train else memory.peak


class _Memory(Watcher):
    """Follows every storage from the operation that makes it until nobody holds it any more."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = 0
        self.peak = 0
        self.known: dict[int, weakref.finalize[Any, Any]] = {}

    def count(self, tensor: Tensor) -> None:
        """Count the storage of `tensor`, once, until it is freed."""
        storage, key = tensor.untyped_storage(), _storage_key(tensor)
        if key in self.known:
            return
        size = storage.nbytes()
        self.alive += size
        self.peak = max(self.peak, self.alive)
        self.known[key] = weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        del self.known[key]
        self.alive -= size

    def see(self, operation: object, given: tuple[Any, ...], result: Any) -> None:
        """Count what is new."""
        # What an operation changes in place was counted when it was made; weights never were.
        known = {_storage_key(value) for value in given if isinstance(value, Tensor)}
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor) and _storage_key(tensor) not in known:
                self.count(tensor)


def _storage_key(tensor: Tensor) -> int:
    """The same for all views of one memory; there is no public name for it, and on `meta` every
    address is zero."""
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]
