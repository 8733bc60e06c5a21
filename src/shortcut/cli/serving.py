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
HERE = ("127.0.0.1", "localhost", "::1")


def serve(
    model: AnyModel,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token_file: TokenFile = None,
    allow_anonymous: Annotated[
        bool, typer.Option("--allow-anonymous", help="Other machines may ask without a token.")
    ] = False,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="A page of another server that may ask.")
    ] = None,
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
    from shortcut import console
    from shortcut.data.sources import default_cache
    from shortcut.errors import RecipeError
    from shortcut.server.limits import Limits
    from shortcut.server.running import serve as run
    from shortcut.server.worker import Model

    token = _token(token_file)
    if host not in HERE and token is None and not allow_anonymous:
        raise RecipeError(
            f"`--host {host}`: anybody who reaches this machine could ask. Give `--token-file`, "
            "or `--allow-anonymous` if that is meant."
        )
    limits = Limits(body=max_body << 20, queue=queue, batch=batch, timeout=timeout, draining=drain)
    run(
        Model(model, "cpu" if device == "auto" else device, engine, default_cache()),
        host=host,
        port=port,
        token=token,
        origins=allow_origin or (),
        limits=limits,
        listening=lambda address: console.print_line(f"serving {model} at {address}"),
    )


def _token(file: Path | None) -> str | None:
    from shortcut.errors import RecipeError

    if file is None:
        return os.environ.get("SHORTCUT_TOKEN") or None
    try:
        token = file.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"`--token-file` (={file}) cannot be read.") from error
    if not token:
        raise RecipeError(f"`--token-file` (={file}): its first line is empty.")
    return token
