"""Any valid changes to a recipe."""

from pathlib import Path

from hypothesis import strategies as st

from shortcut.recipe import list_recipes

SHIPPED = list(list_recipes())


def share(low: float = 0, high: float = 1) -> st.SearchStrategy[float]:
    return st.floats(low, high, exclude_max=True)


def chosen(section: str, **choices: dict[str, st.SearchStrategy]) -> st.SearchStrategy[dict]:
    """Changes to one section: its name, and some of what that name has."""
    return st.one_of(
        st.fixed_dictionaries(
            {f"{section}.name": st.just(name)},
            optional={f"{section}.{key}": value for key, value in settings.items()},
        )
        for name, settings in choices.items()
    )


LR, DECAY = st.floats(1e-12, 1e6), st.floats(0, 10)
ADAM = {"lr": LR, "weight_decay": DECAY, "beta1": share(), "beta2": share()}
OPTIM = chosen(
    "optim",
    adam=ADAM,
    adamw=ADAM,
    sgd={"lr": LR, "weight_decay": DECAY, "momentum": share(0.01), "nesterov": st.booleans()},
    muon={"lr": LR, "adamw_lr": LR, "weight_decay": DECAY},
)
SCHEDULE = chosen(
    "schedule",
    constant={},
    plateau={"patience": st.integers(0, 99), "factor": share(0.01)},
    cosine={"warmup_epochs": st.floats(0, 50), "final": share()},
    onecycle={"peak": share(0.01), "start": st.floats(0.01, 1), "final": share()},
) | st.fixed_dictionaries(
    {"schedule.name": st.just("step"), "schedule.every": st.integers(1, 99)},
    optional={"schedule.factor": share(0.01)},
)
CROP = chosen(
    "augment.crop",
    none={},
    shift={"pad": st.floats(0, 0.5)},
    resized={"smallest": st.floats(0.01, 1), "ratio": st.floats(1, 4)},
)
REST = st.fixed_dictionaries(
    {
        "data.image_size": st.integers(224, 256),
        "data.resize": st.none() | st.integers(256, 2048),
        "augment.start_scale": st.floats(0.1, 0.5),
        "augment.final_scale": st.floats(0.5, 1),
    },
    optional={
        "name": st.text(st.characters(exclude_categories=("Cs",))),
        "seed": st.integers(0, 2**63 - 1),
        "model.name": st.sampled_from(["resnet18", "resnet20", "ein Netz"]),
        "model.first_filters": st.sampled_from(["random", "patches"]),
        "data.max_broken": share(),
        "data.workers": st.none() | st.integers(0, 64),
        "augment.flip": st.booleans(),
        "augment.trivial_augment": st.none() | st.floats(0, 1),
        "augment.random_erasing": st.floats(0, 1),
        "augment.mixup": st.floats(0, 9),
        "train.epochs": st.integers(1, 10_000),
        "train.clip_norm": st.none() | st.floats(1e-6, 100),
        "train.keep": st.just("all") | st.integers(1, 99),
        "train.precision": st.sampled_from(["auto", "fp32", "bf16"]),
    },
)
CHANGES = st.tuples(OPTIM, SCHEDULE, CROP, REST).map(
    lambda parts: {key: value for part in parts for key, value in part.items()}
)


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path
