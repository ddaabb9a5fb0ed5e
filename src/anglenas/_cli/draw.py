"""``anglenas draw``."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from anglenas._cli.options import Space
from anglenas.errors import SettingError


def draw(
    subject: Annotated[
        str, typer.Argument(help="Text of an architecture, or the folder of a run.")
    ],
    out: Annotated[Path, typer.Option(help="File to write: .svg, .png or .pdf.")] = Path(
        "cell.svg"
    ),
    space: Space = "nasbench201",
) -> None:
    """Draw the cells or choices of an architecture, or of the best one of a run."""
    from anglenas._plugins import load
    from anglenas._report import draw_cells, save_figure

    if os.path.isdir(subject):  # noqa: PTH112 - Path raises for a text that is too long
        from anglenas._runs import load_run

        best = load_run(subject, space).best
        searched, architecture = load("space", best.space), best.architecture
    else:
        searched = load("space", space)
        architecture = _parsed(searched, space, subject)
    save_figure(draw_cells(searched.drawings(architecture), caption=str(architecture)), out)
    print(out)


def _parsed(searched: Any, name: str, text: str) -> Any:
    """The architecture; a text of another space is told to be one.

    Of a text that no space takes, the mistake is shown that stands furthest to the right: the other
    spaces did not even get there.
    """
    from anglenas._plugins import load, names
    from anglenas.errors import ArchitectureError

    try:
        return searched.parse(text)
    except ArchitectureError as error:
        mistakes = [error]
    for other in names("space"):
        try:
            load("space", other).parse(text)
        except ArchitectureError as error:
            mistakes.append(error)
        except Exception:  # the code of a space can be anybody's, and raise anything
            continue
        else:
            raise SettingError(
                f"The text is no architecture of {name!r} but one of {other!r}; add --space "
                f"{other}."
            )
    # A mistyped folder is read as an architecture, whose error would puzzle.
    if os.sep in text and not set(text) & set("|([="):
        raise SettingError(
            f"There is no folder {text!r}; give the folder that a search printed, or the text of "
            "an architecture."
        )
    raise max(mistakes, key=lambda mistake: mistake.position)
