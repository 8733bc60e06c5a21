"""Other people's weight files: which network is in there? Names and shapes decide, nothing else.

What has no weights leaves no trace in a file: where the stride stands inside a block, dilation,
anti-aliasing (timm's `resnetaa50` and `resnetblur50`), the size and the normalisation of pictures.
A file of such a network is taken for its plain namesake and answers otherwise than it did at home.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from shortcut.disk import reason_of
from shortcut.errors import ModelError
from shortcut.models.ghosts import shapes_only
from shortcut.models.pickles import open_pickle
from shortcut.models.resnet import StemName
from shortcut.models.tensorfiles import check_outline, kind_of, open_tensors, read_tensors
from shortcut.models.variants import VARIANTS, create_model, find_variant
from shortcut.models.weights import COUNTER, Shapes, check_kinds

PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and `torch.compile` put before every name."""
AVERAGED = "n_averaged"
"""What `torch.optim.swa_utils.AveragedModel` counts beside its module."""
LARGEST_FILE = 8 << 30
"""Bytes. The largest network here, with averaged weights and the state of an optimizer, needs half;
the limits of memory and time grow with the file, so that it must have one itself."""
NAMED = 3
"""So many names of each kind of difference are said, of the others the number."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class ForeignWeights:
    """What a file gave, before anybody knows which network it is for."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    """Of a safetensors file; empty for a pickle."""
    under: str
    """Entry of a checkpoint in which the tensors were, as `state_dict`; empty for a plain file."""

    @property
    def outputs(self) -> int:
        """Classes that the last layer tells apart; 0 where there is no last layer."""
        return count_outputs(_shapes_of(self.tensors))


@dataclass(frozen=True)
class Differences:
    """Between tensors and the network that is asked for them, by name."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]
    """Each with both shapes."""

    def __len__(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.reshaped)

    def describe(self) -> str:
        """The first names of each kind, and how many there are."""
        kinds = {
            "missing": self.missing,
            "unexpected": self.unexpected,
            "of another shape": self.reshaped,
        }
        return ", ".join(
            f"{len(names)} {kind} ({', '.join(names[:NAMED])}{', ...' * (len(names) > NAMED)})"
            for kind, names in kinds.items()
            if names
        )


def read_outline(path: Path) -> tuple[Shapes, dict[str, str]]:
    """Shapes by name in a safetensors file, and its metadata; of its numbers none is read.

    A file may be one large hole, which costs its sender nothing: `recognise_shapes` tells whether
    it is worth the memory. A pickle has no outline: what it may take is limited by its child.

    Raises:
        ModelError: no such file, damaged, or with names that no network gives its tensors.
    """
    if kind_of(path) != "safetensors":
        return {}, {}
    with open_tensors(path) as file:
        check_outline(path, file.shapes)
        return _without_prefix(file.shapes), file.metadata


def read_foreign(path: Path) -> ForeignWeights:
    """Tensors of a safetensors file or of a pickled state dict, told apart by their content.

    Pickles are opened in a process of their own, see `open_pickle`. What DataParallel and
    `torch.compile` put before every name is taken off.

    Raises:
        ModelError: no such file, of another kind, too large, damaged, or with more than tensors in
            it.
        ResourceError: the process cannot be started.
    """
    kind, under, metadata = kind_of(path), "", dict[str, str]()
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise ModelError(f"`{path}` has {size:,} bytes, more than any network here could fill.")
    if kind == "safetensors":
        tensors, metadata = read_tensors(path)
    elif kind == "pickle":
        try:
            with path.open("rb") as file:
                tensors, under = open_pickle(file, str(path))
        except OSError as error:
            raise ModelError(f"cannot read `{path}`: {reason_of(error)}.") from error
        except ModelError as error:
            advice = "Where it was made, save the weights alone: `torch.save(model.state_dict(), "
            raise ModelError(f"{error} {advice}FILE)`.") from error
    else:
        raise ModelError(
            f"`{path}` holds no weights: it is neither safetensors nor what `torch.save` writes. "
            "Copy it again, or name another."
        )
    check_outline(path, _shapes_of(tensors))
    return ForeignWeights(_without_prefix(tensors), metadata, under)


def recognise(weights: ForeignWeights, model: str | None = None) -> tuple[str, StemName]:
    """The one network, and its stem, whose state dict has these names and shapes.

    Counters (`num_batches_tracked`) may be missing, as in files from before torch 0.4.1.

    Args:
        weights: what `read_foreign` gave.
        model: look at this row of the table only.

    Raises:
        ModelError: none fits, several do, or `model` is unknown. Of the nearest one, the message
            says what differs.
    """
    network = recognise_shapes(_shapes_of(weights.tensors), model)
    check_kinds(weights.tensors)
    return network


def recognise_shapes(given: Shapes, model: str | None = None) -> tuple[str, StemName]:
    """`recognise`, as far as shapes by name tell.

    Raises:
        ModelError: none fits, several do, or `model` is unknown.
    """
    rows = [model] if model is not None else list(VARIANTS)
    found: list[tuple[Differences, str, StemName]] = [
        (_compare(given, shapes), name, stem)
        for name, stem, shapes in _networks(rows, count_outputs(given))
    ]
    fitting: list[tuple[Differences, str, StemName]] = [one for one in found if not one[0]]
    if len(fitting) > 1:
        names = [name for _, name, _ in fitting]
        raise ModelError(
            f"the weights fit {' and '.join(f'`{name}`' for name in names)} alike: their names and "
            f"shapes are equal. Say which with `--model {names[0]}` or `--model {names[-1]}`."
        )
    if not fitting:
        differences, name, stem = min(found, key=lambda one: len(one[0]))
        opening = "do not fit" if model is not None else "fit no network here; the nearest is"
        raise ModelError(
            f"the weights {opening} `{name}` with the {stem} stem: {differences.describe()}."
        )
    _, name, stem = fitting[0]
    return name, stem


def count_outputs(shapes: Shapes) -> int:
    """Classes that the last layer tells apart; 0 where there is no last layer."""
    head = shapes.get("fc.weight", ())
    return head[0] if len(head) == 2 else 0


def _shapes_of(tensors: Mapping[str, Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _without_prefix(tensors: dict[str, Value]) -> dict[str, Value]:
    """Whatever is filed under the names of tensors, without what all names begin with."""
    while True:
        names = [name for name in tensors if name != AVERAGED]
        for prefix in PREFIXES:
            if names and all(name.startswith(prefix) for name in names):
                tensors = {name.removeprefix(prefix): tensors[name] for name in names}
                break
        else:
            return tensors


def _networks(rows: list[str], outputs: int) -> Iterator[tuple[str, StemName, Shapes]]:
    """Each row with each of its stems, and the shapes of its state dict."""
    either: tuple[StemName, StemName] = ("standard", "small")
    for name in rows:
        fixed = find_variant(name).stem
        for stem in either if fixed is None else (fixed,):
            shapes = _shapes(name, stem)
            head = {"fc.weight": (outputs, *shapes["fc.weight"][1:]), "fc.bias": (outputs,)}
            yield name, stem, {**shapes, **head}


@cache
def _shapes(name: str, stem: StemName) -> Shapes:
    """Of the state dict for one class, built without numbers."""
    with shapes_only():
        state: dict[str, Tensor] = create_model(name, num_classes=1, stem=stem).state_dict()
    return {label: tuple(tensor.shape) for label, tensor in state.items()}


def _compare(given: Shapes, wanted: Shapes) -> Differences:
    return Differences(
        missing=tuple(
            f"`{name}`" for name in wanted if name not in given and not name.endswith(COUNTER)
        ),
        unexpected=tuple(f"`{name}`" for name in given if name not in wanted),
        reshaped=tuple(
            f"`{name}` {given[name]}, not {wanted[name]}"
            for name in wanted
            if name in given and given[name] != wanted[name]
        ),
    )
