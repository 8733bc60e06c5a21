"""`variants.py`: the table, its rules for stems, and what it says to a wrong name."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shortcut.errors import ModelError
from shortcut.models import VARIANTS, ResNet, choose_stem, create_model, find_variant, list_models
from shortcut.models.resnet import StemName
from shortcut.models.variants import SMALL_PICTURE

EITHER = [name for name, row in VARIANTS.items() if row.stem is None]
FIXED = [name for name, row in VARIANTS.items() if row.stem is not None]
WANTED = ["auto", "standard", "small"]


@pytest.fixture(scope="module")
def small_resnet18() -> ResNet:
    return create_model("resnet18", num_classes=5, stem="small").eval()


def on_meta(name: str, num_classes: int = 1000) -> ResNet:
    with torch.device("meta"):
        return create_model(name, num_classes=num_classes)


def test_the_table_has_the_rows_of_the_plan() -> None:
    assert list_models() == [
        *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
        *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
        *("wide_resnet50_2", "wide_resnet101_2"),
        *("resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
        *("resnet18_pool32", "resnet18_pool48", "resnet18_pool56"),
        *("plain18", "plain34", "plain20", "plain56"),
        "resnet34_tutorial",
    ]


def test_rows_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        VARIANTS["resnet18"].width = 128  # type: ignore[misc]


@pytest.mark.parametrize("name", VARIANTS)
def test_the_number_in_a_name_counts_the_layers_with_weights(name: str) -> None:
    """As the paper counts: convolutions and the linear layer, without those in shortcuts."""
    layers = [
        label
        for label, module in on_meta(name).named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and ".downsample." not in label
    ]
    digits = (
        name.removesuffix("_tutorial").removesuffix("_2").split("_")[-1 if "wide" in name else 0]
    )
    assert len(layers) == int("".join(c for c in digits if c.isdigit()))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_row_takes_its_smallest_picture(name: str) -> None:
    size, _ = VARIANTS[name].sizes
    x = torch.empty(2, 3, size, size, device="meta")
    assert on_meta(name, num_classes=3).eval()(x).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("resnet20", 0.27),
        ("resnet32", 0.46),
        ("resnet44", 0.66),
        ("resnet56", 0.85),
        ("resnet110", 1.7),
    ],
)
def test_cifar_nets_have_the_papers_parameters(name: str, millions: float) -> None:
    """Table 6."""
    parameters = sum(p.numel() for p in on_meta(name, 10).parameters())
    assert round(parameters / 1e6, 1 if millions > 1 else 2) == millions


@settings(max_examples=12)
@given(st.integers(8, 33), st.integers(8, 33), st.integers(1, 3), st.integers(1, 6))
def test_cifar_nets_take_any_small_picture(height: int, width: int, batch: int, n: int) -> None:
    model = create_model("resnet20", num_classes=n).eval()
    with torch.no_grad():
        outputs = model(torch.randn(batch, 3, height, width))
    assert outputs.shape == (batch, n)
    assert outputs.isfinite().all()


@settings(max_examples=6)
@given(height=st.integers(8, 33), width=st.integers(8, 33), batch=st.integers(1, 2))
def test_small_resnet18_takes_any_small_picture(
    small_resnet18: ResNet, height: int, width: int, batch: int
) -> None:
    with torch.no_grad():
        outputs = small_resnet18(torch.randn(batch, 3, height, width))
    assert outputs.shape == (batch, 5)
    assert outputs.isfinite().all()


@pytest.mark.parametrize("name", EITHER)
@pytest.mark.parametrize(
    ("size", "stem"), [(8, "small"), (SMALL_PICTURE, "small"), (65, "standard"), (224, "standard")]
)
def test_the_size_chooses_the_stem(name: str, size: int, stem: str) -> None:
    assert choose_stem(name, size) == stem


@pytest.mark.parametrize(("wanted", "size"), [("small", 224), ("standard", 32)])
def test_a_wanted_stem_wins_over_the_size(wanted: StemName, size: int) -> None:
    assert choose_stem("resnet50", size, wanted) == wanted  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FIXED)
def test_fixed_stems_stay(name: str) -> None:
    stem = VARIANTS[name].stem
    assert choose_stem(name, 128) == stem
    for wanted in ("standard", "small"):
        if wanted == stem:
            assert choose_stem(name, 128, wanted) == stem
            continue
        with pytest.raises(ModelError) as caught:
            choose_stem(name, 128, wanted)
        assert str(caught.value) == (
            f"`{name}` has the `{stem}` stem only: leave `model.stem` at auto."
        )


@pytest.mark.parametrize(
    ("name", "size", "limits"),
    [
        ("resnet18", 7, "8 to 4096"),
        ("resnet18", 4097, "8 to 4096"),
        ("resnet20", 0, "8 to 4096"),
        ("resnet34_tutorial", 106, "107 to 234"),
        ("resnet34_tutorial", 235, "107 to 234"),
    ],
)
def test_sizes_outside_the_limits_are_refused(name: str, size: int, limits: str) -> None:
    with pytest.raises(ModelError) as caught:
        choose_stem(name, size)
    assert str(caught.value) == f"`{name}` takes pictures of {limits} pixels, not {size}."


@given(st.sampled_from(list(VARIANTS)), st.integers(-10, 5000), st.sampled_from(WANTED))
def test_choose_stem_gives_a_stem_that_create_model_takes(
    name: str, size: int, wanted: str
) -> None:
    try:
        stem = choose_stem(name, size, wanted)  # type: ignore[arg-type]
    except ModelError:
        return
    assert stem in (VARIANTS[name].stem, "standard", "small")
    assert VARIANTS[name].stem in (None, stem)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet51", "Did you mean `resnet56`?"),
        ("ResNet18", "Did you mean `resnet18`?"),
        ("wide_resnet50", "Did you mean `wide_resnet50_2`?"),
        ("vit", "`shortcut models` lists them."),
        ("", "`shortcut models` lists them."),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(name: str, hint: str) -> None:
    calls = (create_model, find_variant, lambda wrong: choose_stem(wrong, 64))
    for call in calls:
        with pytest.raises(ModelError) as caught:
            call(name)
        assert str(caught.value) == f"unknown model `{name}`. {hint}"


@pytest.mark.parametrize(
    ("name", "own", "stem"),
    [("resnet20", "small", "standard"), ("resnet34_tutorial", "unpadded", "small")],
)
def test_create_model_refuses_a_stem_the_row_lacks(name: str, own: str, stem: StemName) -> None:
    with pytest.raises(ModelError) as caught:
        create_model(name, stem=stem)
    assert str(caught.value) == f"`{name}` has the `{own}` stem only, not `{stem}`."


@pytest.mark.parametrize(("stem", "kernel"), [(None, 7), ("standard", 7), ("small", 3)])
def test_create_model_makes_the_stem(stem: StemName | None, kernel: int) -> None:
    with torch.device("meta"):
        model = create_model("resnet18", num_classes=4, stem=stem)
    assert model.conv1.kernel_size == (kernel, kernel)
    assert model.fc.out_features == 4


def test_the_seed_decides_the_weights() -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(create_model("resnet20", num_classes=2).state_dict())
    same = [[torch.equal(states[0][k], other[k]) for k in states[0]] for other in states[1:]]
    assert all(same[0])
    assert not all(same[1])
