"""``anglenas export``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anglenas._cli.options import Quiet, Space, split_names
from anglenas.errors import SettingError

if TYPE_CHECKING:
    from anglenas._evaluation.network import Weights


def export(
    subject: Annotated[
        Path, typer.Argument(help="Folder of a search or of a training, or a file of weights.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder. (default: 'export' in the one that was given)")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            help="Names separated by commas: 'weights' (safetensors), 'python' (source that needs "
            "PyTorch alone), 'onnx', 'program' (torch.export). (default: all that the space has)"
        ),
    ] = None,
    weights: Annotated[
        str, typer.Option(help="'best': of the best epoch; 'last': of the last one.")
    ] = "best",
    space: Space = "nasbench201",
    quiet: Quiet = False,
) -> None:
    """Take a network away, as files that need no anglenas.

    Of a search, its best network is taken: as 'anglenas train' trained it, or with fresh weights.
    Every file is run once, and compared with the network.

    Examples:

        anglenas export runs/photos-nasbench201-1a2b3c

        anglenas export runs/photos-nasbench201-1a2b3c/trained --formats onnx --weights last
    """  # noqa: D412
    from anglenas._export import export_network

    if weights not in ("best", "last"):
        raise SettingError(f"--weights is 'best' or 'last', not {weights!r}.")
    chosen, remark = _weights(subject, weights, space)
    folder = out or (subject.parent if subject.is_file() else subject) / "export"
    written = export_network(chosen, folder, None if formats is None else split_names(formats))
    for file in written:
        print(file.path if quiet else f"{file.path}  (checked: differs by {file.difference:.1g})")
    if remark and not quiet:
        print(f"Note: {remark}")


def _weights(subject: Path, which: str, space: str) -> "tuple[Weights, str]":
    """The network to take away, and what to know about it."""
    from anglenas._evaluation.network import fresh_weights, read_weights
    from anglenas._runs import load_run

    if not subject.is_dir():
        return read_weights(subject, space), ""
    # A search takes what was trained in its folder; a training is a folder of its own.
    for folder in (subject, subject / "trained"):
        if (path := folder / f"{which}.safetensors").exists():
            return read_weights(path, space), ""
    remark = f"its weights are fresh; 'anglenas train {subject}' trains them."
    return fresh_weights(load_run(subject, space)), remark
