"""Number formats: the wanted one, chosen without touching the network."""

import copy
import math

import pytest
import torch
from torch import nn

from shortcut import precision
from shortcut.precision import BF16, CANDIDATES, PLAIN, Choice, Precision, choose_precision
from shortcut.products import ProductConv2d

CPU = torch.device("cpu")


def choose(model: nn.Module, wanted: str, **more: int) -> Choice:
    sizes = {"image_size": 16, "batch_size": 4} | more
    return choose_precision(model, wanted, device=CPU, **sizes)


@pytest.fixture(autouse=True)
def _bf16_is_worth_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever processor the tests run on."""
    monkeypatch.setattr(precision, "_probe_seconds", lambda number: 1.0)


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), pool, nn.Flatten(), nn.Linear(8, 3))


def test_descriptions():
    described = [candidate.describe() for candidate in CANDIDATES]
    assert described == [
        "fp32",
        "fp32, channels last",
        "bf16, channels last",
        "bf16, channels last, gradients as products",
    ]
    assert PLAIN.describe() == "fp32"


def test_auto_times_every_candidate_and_takes_one(model):
    choice = choose(model, "auto")
    *formats, products = [candidate.describe() for candidate in CANDIDATES]
    # Products are a variant of bfloat16: tried only where that is the fastest.
    assert list(choice.images_per_second) in (formats, [*formats, products])
    assert choice.precision in CANDIDATES
    assert all(speed > 0 for speed in choice.images_per_second.values())


@pytest.mark.parametrize("fastest", CANDIDATES, ids=Precision.describe)
def test_the_fastest_is_taken(model, monkeypatch, fastest):
    def seconds(_: nn.Module, candidate: Precision, images: torch.Tensor) -> float:
        if candidate == fastest:
            return 0.01
        return 0.02 if candidate.format == fastest.format else 0.03

    monkeypatch.setattr(precision, "_step_seconds", seconds)
    choice = choose(model, "auto", batch_size=8)
    assert choice.precision == fastest
    assert choice.images_per_second[fastest.describe()] == 800


@pytest.mark.parametrize(
    ("fp32", "device", "taken"), [(2.0, "cpu", True), (0.5, "cpu", False), (2.0, "meta", False)]
)
def test_products_are_tried_where_bf16_is_fastest_on_a_processor(
    model, monkeypatch, fp32, device, taken
):
    timed: set[Precision] = set()

    def seconds(_: nn.Module, candidate: Precision, images: torch.Tensor) -> float:
        timed.add(candidate)
        return fp32 if candidate.format == "fp32" else 1.0 - 0.1 * candidate.products

    monkeypatch.setattr(precision, "_step_seconds", seconds)
    place = torch.device(device)  # meta: what is no CPU
    choice = choose_precision(model, "auto", image_size=16, batch_size=4, device=place)
    assert choice.precision.products is taken
    assert (CANDIDATES[3] in timed) is taken


def test_products_have_to_be_faster(model, monkeypatch):
    def seconds(_: nn.Module, candidate: Precision, images: torch.Tensor) -> float:
        return 1.0 if candidate.format == "bf16" else 2.0

    monkeypatch.setattr(precision, "_step_seconds", seconds)
    assert choose(model, "auto").precision == BF16


def test_a_slow_first_step_rules_nothing_out(model, monkeypatch):
    """Kernels are built in it; only what is slow when warm is not timed a third time."""
    taken: list[Precision] = []

    def seconds(_: nn.Module, candidate: Precision, images: torch.Tensor) -> float:
        taken.append(candidate)
        if len(images) < 4:
            return 0.01  # how many pictures are asked
        if taken.count(candidate) == 1 + 2 * (candidate == PLAIN):
            return 1.0
        return 0.005 if candidate.format == "bf16" else 0.09 if candidate.channels_last else 0.01

    monkeypatch.setattr(precision, "_step_seconds", seconds)
    assert choose(model, "auto").precision.format == "bf16"
    assert [taken.count(candidate) for candidate in CANDIDATES] == [5, 2, 3, 3]


@pytest.mark.parametrize(("slower", "tried"), [(2.1, True), (12.0, False)])
def test_bf16_is_not_tried_where_one_convolution_shows_that_it_is_hopeless(
    model, monkeypatch, slower, tried
):
    monkeypatch.setattr(
        precision, "_probe_seconds", lambda number: slower if number == torch.bfloat16 else 1.0
    )
    monkeypatch.setattr(precision, "_step_seconds", lambda m, c, i: 0.1)
    assert any("bf16" in name for name in choose(model, "auto").images_per_second) is tried
    assert precision.computes_bf16(torch.device("meta"))


def test_a_convolution_is_timed_in_both_formats_and_the_shortest_counts(monkeypatch):
    monkeypatch.undo()
    seen, clock = [], iter([0.0, 9.0, 10.0, 12.0, 20.0, 23.0, 30.0, 34.0, 40.0, 45.0] * 2)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(
        nn.functional, "conv2d", lambda *given: seen.append({one.dtype for one in given})
    )
    numbers = (torch.float32, torch.bfloat16)
    assert [precision._probe_seconds(number) for number in numbers] == [2.0, 2.0]
    assert seen == [{torch.float32}] * 5 + [{torch.bfloat16}] * 5


def test_a_slow_machine_is_asked_about_fewer_pictures_and_not_thrice(model, monkeypatch):
    steps: list[tuple[Precision, int]] = []

    def seconds(_: nn.Module, candidate: Precision, images: torch.Tensor) -> float:
        steps.append((candidate, len(images)))
        return 0.3 * len(images)

    monkeypatch.setattr(precision, "_step_seconds", seconds)
    choose(model, "auto", image_size=64, batch_size=16)
    assert steps[:2] == [(PLAIN, 2), (PLAIN, 2)]
    assert {count for _, count in steps[2:]} == {3}
    steps.clear()
    monkeypatch.setattr(precision, "PATIENCE", 0.5)
    choose(model, "auto", image_size=64, batch_size=16)
    assert [count for _, count in steps] == [2] * (2 + 2 * len(CANDIDATES[:3]))


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
def test_a_wanted_format_is_taken_whatever_is_fast(model, monkeypatch, wanted):
    monkeypatch.setattr(
        precision, "_step_seconds", lambda m, c, i: 9.0 if c.format == wanted else 0.001
    )
    choices = [choose(model, wanted) for _ in range(3)]
    assert choices[0].precision == Precision(wanted, channels_last=True)
    assert choices[0] == choices[1] == choices[2]  # no clock decides


@pytest.mark.parametrize(("seconds", "taken"), [(0.9, True), (0.99, False), (math.inf, False)])
def test_compiling_has_to_pay(model, monkeypatch, seconds, taken):
    monkeypatch.setattr(precision, "_step_seconds", lambda m, c, i: 1.0)
    monkeypatch.setattr(precision, "_compiled_seconds", lambda m, c, i: seconds)
    choice = choose_precision(model, "auto", image_size=16, batch_size=4, device=CPU, compiled=True)
    assert choice.precision.compiled is taken
    assert choice.precision.describe().endswith(", compiled") is taken


def test_a_machine_that_cannot_compile_goes_on_without(model, monkeypatch):
    def fail(self: nn.Module) -> None:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(nn.Module, "compile", fail)
    choice = choose_precision(model, "auto", image_size=16, batch_size=4, device=CPU, compiled=True)
    assert not choice.precision.compiled
    assert list(choice.images_per_second.values())[-1] == 0


def test_a_compiled_network_keeps_its_names_and_answers(model):
    """By a backend that needs no compiler; copies, as averaging makes them, are plain."""
    images = torch.rand(2, 3, 16, 16)
    expected, names = model.eval()(images), list(model.state_dict())
    model.compile(backend="eager")
    assert torch.equal(model(images), expected)
    assert list(model.state_dict()) == names
    assert copy.deepcopy(model)._compiled_call_impl is None


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(model, training):
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    choose(model, "auto")
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(module.training is training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.is_contiguous() for parameter in model.parameters())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("image_size", "batch_size", "expected"),
    [(8, 64, 16), (8, 1, 2), (8, 5, 5), (224, 32, 7), (1024, 32, 2)],
)
def test_the_trial_batch_is_small(model, monkeypatch, image_size, batch_size, expected):
    shapes = []

    def seconds(_: nn.Module, __: Precision, images: torch.Tensor) -> float:
        shapes.append(tuple(images.shape))
        return 0.01

    monkeypatch.setattr(precision, "_step_seconds", seconds)
    choose(model, "auto", image_size=image_size, batch_size=batch_size)
    assert set(shapes[:2]) == {(2, 3, image_size, image_size)}
    assert set(shapes[2:]) == {(expected, 3, image_size, image_size)}


@pytest.mark.parametrize("candidate", CANDIDATES, ids=Precision.describe)
def test_what_a_format_does_to_a_step(candidate):
    layer = nn.Conv2d(3, 4, 3)
    images = candidate.place(torch.rand(2, 3, 8, 8))
    last = images.is_contiguous(memory_format=torch.channels_last)
    assert last is candidate.channels_last
    with candidate.autocast(CPU):
        out = layer(images)
    assert out.dtype == (torch.bfloat16 if candidate.format == "bf16" else torch.float32)
    assert layer.weight.dtype == torch.float32


def test_products_come_and_go_with_the_precision():
    layer = nn.Conv2d(3, 4, 3, bias=False)
    for candidate in (*CANDIDATES, *reversed(CANDIDATES)):
        candidate.prepare(layer)
        assert type(layer) is (ProductConv2d if candidate.products else nn.Conv2d)


def test_an_older_record_of_a_precision_has_no_products():
    older = {"format": "bf16", "channels_last": True, "compiled": False}
    assert Precision(**older) == BF16


def test_plain_switches_a_surrounding_bf16_off():
    with torch.autocast("cpu", torch.bfloat16), PLAIN.autocast(CPU):
        assert nn.Linear(2, 2)(torch.rand(1, 2)).dtype == torch.float32
