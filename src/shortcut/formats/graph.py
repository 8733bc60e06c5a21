"""The whole of an answer as one network: from bytes to probabilities, so that nobody who runs it
has to know how pictures were normalised."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from shortcut.classifier import Classifier
from shortcut.familiarity import LEAST, Familiarity, Neighbours
from shortcut.formats.folding import fold_norms
from shortcut.models.resnet import ResNet
from shortcut.models.stages import feature_widths, map_and_describe
from shortcut.runtime.engine import DISTANCE, EVIDENCE, PROBABILITIES

EXAMPLES = 2
"""Pictures with which a graph is traced: of one, torch would take the number for fixed."""
MOST_CLASSES = 256
"""Whose evidence is given. Other people's programs compute it with every answer: for so many
classes 26 million multiply-adds beside the 4,100 million of ResNet-50."""


class Graph(nn.Module):
    """(N, S, S, 3) uint8 -> (N, classes) float32 probabilities at temperature 1; (N,) distances as
    `Familiarity.distance` gives them, where the classifier knows any; and (N, classes, h, w)
    evidence, where it is asked for, as `Engine.evidence` describes it.

    The mirror image, the temperature and both limits stay outside: they are numbers in the card,
    and can be changed without another export.

    Args:
        dtype: of the network's weights and of what is between them.
        evidence: of a network for which `tells_where` holds.
    """

    def __init__(
        self,
        classifier: Classifier,
        dtype: torch.dtype = torch.float32,
        *,
        evidence: bool = False,
    ) -> None:
        super().__init__()
        network = deepcopy(classifier.model).cpu().eval()
        fold_norms(network)
        # In the usual order of memory: `torch.export.save` knows no other.
        self.network: ResNet = network.to(dtype).to(memory_format=torch.contiguous_format)
        self.dtype = dtype
        view = classifier.preprocess
        # As `Classifier.normalise` counts, to the last bit.
        self.mean = nn.Buffer((torch.tensor(view.mean) * 255).view(1, 3, 1, 1))
        self.std = nn.Buffer((torch.tensor(view.std) * 255).view(1, 3, 1, 1))
        known = classifier.familiarity
        early, _ = feature_widths(self.network)
        self.distance = _Distance(known, early) if known else None
        self.evidence = evidence

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what `forward` gives."""
        distance = () if self.distance is None else (DISTANCE,)
        return (PROBABILITIES, *distance, *([EVIDENCE] if self.evidence else []))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """See `outputs`."""
        network, views = self.network, self.views(images).to(self.dtype)
        if self.distance is None:
            fmap, distance = network.features(views), ()
        else:
            fmap, features = map_and_describe(network, views)
            distance = (self.distance(features),)
        probabilities = network.probabilities(network.classify(fmap))
        return (probabilities, *distance, *([self._spoken(fmap)] if self.evidence else []))

    def views(self, images: Tensor) -> Tensor:
        """(N, S, S, 3) uint8 -> (N, 3, S, S) float32, what the network sees."""
        return (images.permute(0, 3, 1, 2).float() - self.mean) / self.std

    def _spoken(self, fmap: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, classes, h, w): a product of matrices, of which eight bits are kept
        away."""
        cells = fmap.float().flatten(2)
        outputs = self.network.fc.weight.float() @ cells / cells.shape[2]
        return (outputs - outputs.mean(1, keepdim=True)).unflatten(2, fmap.shape[2:])


def tells_where(classifier: Classifier) -> bool:
    """Whether outputs are sums over the cells of the last map, each with its part in them: behind
    global average pooling and one linear layer, and no softmax."""
    network = classifier.model
    return (
        type(network).classify is ResNet.classify
        and type(network.avgpool) is nn.AdaptiveAvgPool2d
        and network.avgpool.output_size in (1, (1, 1))
        and type(network.fc) is nn.Linear
        and len(classifier.classes) <= MOST_CLASSES
    )


class _Distance(nn.Module):
    """`Familiarity.distance`, in float32."""

    def __init__(self, known: Familiarity, early: int) -> None:
        super().__init__()
        self.widths = early
        self.early, self.late = _Strangeness(known.early), _Strangeness(known.late)

    def forward(self, features: Tensor) -> Tensor:
        early, late = features[:, : self.widths], features[:, self.widths :]
        halves = [
            half / half.pow(2).sum(1, keepdim=True).sqrt().clamp(min=1e-12)
            for half in late.chunk(2, 1)
        ]
        return self.early(early) + self.late(torch.cat(halves, 1))


class _Strangeness(nn.Module):
    """`Neighbours.strangeness`."""

    def __init__(self, known: Neighbours) -> None:
        super().__init__()
        bank = torch.from_numpy(known.bank).float()
        self.centre = nn.Buffer(torch.from_numpy(known.centre))
        self.axes = nn.Buffer(torch.from_numpy(known.axes))
        self.bank = nn.Buffer(bank.T.contiguous())
        self.lengths = nn.Buffer(bank.pow(2).sum(1))
        self.nearest, self.middle, self.spread = known.nearest, known.middle, known.spread

    def forward(self, features: Tensor) -> Tensor:
        points = (features - self.centre) @ self.axes
        squares = points.pow(2).sum(1, keepdim=True) + self.lengths - 2 * (points @ self.bank)
        chosen = squares.topk(self.nearest, 1, largest=False).values[:, -1]
        return (chosen.clamp(min=LEAST**2).sqrt().log() - self.middle) / self.spread


def traced(graph: Graph, image_size: int) -> torch.export.ExportedProgram:
    """The graph as torch writes it down, for any number of pictures."""
    images = torch.zeros(EXAMPLES, image_size, image_size, 3, dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    with torch.no_grad():
        return torch.export.export(graph, (images,), dynamic_shapes=({0: batch},))
