"""`shortcut serve`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from shortcut.cli.loading import AnyModel, Engine
from shortcut.cli.training import Device

Host = Annotated[str, typer.Option(help="0.0.0.0: for other machines too.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(help="Its first line must come with requests; or set SHORTCUT_TOKEN."),
]
Anonymous = Annotated[
    bool, typer.Option("--allow-anonymous", help="Other machines may ask without a token.")
]
Origins = Annotated[list[str] | None, typer.Option(help="A page of another server that may ask.")]
HERE = ("127.0.0.1", "localhost", "::1")


def serve(
    model: AnyModel,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token_file: TokenFile = None,
    allow_anonymous: Anonymous = False,
    allow_origin: Origins = None,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Pictures at once, at most.")] = 16,
    queue: Annotated[int, typer.Option(min=1, help="Pictures that may wait; beyond: 429.")] = 64,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to an answer.")] = 10.0,
    max_body: Annotated[int, typer.Option(min=1, help="MB of a request.")] = 32,
    drain: Annotated[float, typer.Option(min=0, help="Seconds between SIGTERM and the end.")] = 1.0,
    device: Device = "auto",
    engine: Engine = "auto",
) -> None:
    """Answer over HTTP, with a page to try it on.

    /predict takes a picture as the body, or several as a form; /openapi.json tells the rest.
    """
    _check_packages()
    from shortcut import console
    from shortcut.data.sources import default_cache
    from shortcut.server.limits import Limits
    from shortcut.server.running import serve as run
    from shortcut.server.worker import Model

    _check_idle(model, device, engine)
    token = _token(token_file)
    if not (host in HERE or token or allow_anonymous):
        _refuse_strangers(host)
    limits = Limits(
        body=max_body << 20,
        pictures=min(Limits.pictures, queue),
        queue=queue,
        batch=batch,
        timeout=timeout,
        draining=drain,
        hanging=max(Limits.hanging, 3 * timeout),
    )
    run(
        Model(model, "cpu" if device == "auto" else device, engine, default_cache()),
        host=host,
        port=port,
        token=token,
        origins=allow_origin or (),
        limits=limits,
        listening=lambda address: console.print_line(f"serving {model} at {address}"),
    )


def _refuse_strangers(host: str) -> None:
    from shortcut.errors import RecipeError

    raise RecipeError(
        f"`--host {host}`: anybody who reaches this machine could ask. Give `--token-file`, or "
        "`--allow-anonymous` if that is meant."
    )


def _token(file: Path | None) -> str | None:
    from shortcut.errors import RecipeError

    if file is None:
        return _checked(os.environ.get("SHORTCUT_TOKEN", "").strip(), "SHORTCUT_TOKEN") or None
    try:
        token = file.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"`--token-file` (={file}) cannot be read.") from error
    if not token:
        raise RecipeError(f"`--token-file` (={file}): its first line is empty.")
    return _checked(token, str(file))


def _checked(token: str, where: str) -> str:
    from shortcut.errors import RecipeError

    if not (token.isascii() and token.isprintable() and " " not in token):
        raise RecipeError(f"the token in {where} must be of plain letters: it goes in a header.")
    return token


def _check_packages() -> None:
    from importlib.util import find_spec

    from shortcut.errors import ResourceError

    for package in ("uvicorn", "starlette", "python_multipart", "prometheus_client"):
        if find_spec(package) is None:
            raise ResourceError(
                f"`shortcut serve` takes the package {package}: `pip install 'shortcut[serve]'`."
            )


def _check_idle(model: Path, device: str, engine: str) -> None:
    from shortcut.errors import RecipeError
    from shortcut.runtime.loading import is_exported

    if is_exported(model):
        if device not in ("auto", "cpu"):
            raise RecipeError(f"`--device {device}`: exported models run on the CPU here.")
    elif engine not in ("auto", "torch"):
        raise RecipeError(
            f"`--engine {engine}` runs exported models: `shortcut export` writes one."
        )
    else:
        _check_device(device)


def _check_device(device: str) -> None:
    """Here, where the complaint is one line, and not in the worker."""
    if device not in ("auto", "cpu"):
        from shortcut.world import find_world

        find_world(device)
