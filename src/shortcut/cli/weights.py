"""`shortcut import-weights`: weights come in."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from shortcut.classifier import Classifier

Form = Literal["text", "json"]


def import_weights(
    file: Annotated[
        Path, typer.Argument(help="A torchvision or timm ResNet state dict: .pth, .safetensors...")
    ],
    *,
    model: Annotated[
        str | None, typer.Option(help="The network, where several fit; `shortcut models`.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="cat,dog or a .txt file with a name a line.")
    ] = None,
    image_size: Annotated[int, typer.Option(min=8, max=4096, help="Pixels.")] = 224,
    resize: Annotated[
        int | None, typer.Option(min=8, max=8192, help="Short side before the middle is cut out.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="A new .safetensors file; by default named after FILE.")
    ] = None,
    format_: Annotated[Form, typer.Option("--format")] = "text",
) -> None:
    """Make a model file of other people's ResNet weights."""
    from shortcut import console
    from shortcut.events import Notice
    from shortcut.formats import imported
    from shortcut.models.variants import SMALL_PICTURE

    target = _new_file(output or Path(f"{file.stem or 'weights'}.safetensors"))
    names = None if classes is None else _class_names(classes)
    classifier = imported.import_weights(
        file, model=model, classes=names, image_size=image_size, resize=resize
    )
    classifier.save(target)
    if format_ == "json":
        typer.echo(json.dumps(_describe(classifier, target), indent=1, ensure_ascii=False))
        return
    if classifier.stem == "small" and image_size > SMALL_PICTURE:
        with console.Screen() as screen:
            screen.show(
                Notice(
                    f"its stem is for pictures of {SMALL_PICTURE} pixels and less: "
                    "say with `--image-size` what it was trained on"
                )
            )
    console.print_line(_sentence(classifier, target))


def _new_file(target: Path) -> Path:
    """Before anything is read: a mistake in the name must not cost a wait."""
    from shortcut.errors import RecipeError, ResourceError

    if target.suffix != ".safetensors":
        raise RecipeError(f"`--output` (={target}) must end in .safetensors.")
    if target.exists():
        raise ResourceError(f"`{target}` exists. Name another file with `--output`.")
    return target


def _describe(classifier: "Classifier", target: Path) -> dict[str, object]:
    return {
        "network": classifier.network,
        "stem": classifier.stem,
        "classes": list(classifier.classes),
        "parameters": _parameters(classifier),
        "image_size": classifier.preprocess.image_size,
        "resize": classifier.preprocess.resize,
        "entry": classifier.metrics.get("imported_entry"),
        "output": str(target),
    }


def _sentence(classifier: "Classifier", target: Path) -> str:
    entry = classifier.metrics.get("imported_entry")
    return (
        f"{classifier.network}, {classifier.stem} stem, {_some(classifier.classes)}, "
        f"{_parameters(classifier):,} parameters{f', from `{entry}`' if entry else ''} -> {target}"
    )


def _parameters(classifier: "Classifier") -> int:
    return sum(parameter.numel() for parameter in classifier.model.parameters())


def _class_names(given: str) -> list[str]:
    """From `cat,dog`, or the lines of a .txt file."""
    from shortcut.errors import RecipeError

    if not given.lower().endswith(".txt"):
        return [name.strip() for name in given.split(",")]
    try:
        lines = Path(given).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise RecipeError(f"`--classes` (={given}) cannot be read: {reason}.") from error
    return [line.strip() for line in lines if line.strip()]


def _some(classes: tuple[str, ...]) -> str:
    return f"{len(classes):,} classes ({', '.join(classes[:2])}{', ...' * (len(classes) > 2)})"
