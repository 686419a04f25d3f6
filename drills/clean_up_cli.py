"""``drills cleanup`` and ``drills resume``: what is done after a drill in sandbox accounts that was cut short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from drills.clean_up import CleanUp
    from drills.model import Report

Progressing = Callable[[], AbstractContextManager[Callable[[str], None]]]
Conclude = Callable[..., None]
CLEAN, SOMETHING_LEFT, UNKNOWN = 0, 1, 3
FOLDER = click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
ON = click.option(
    "--on",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The provider file, if it is no longer where it was.",
)


def commands(progressing: Progressing, conclude: Conclude) -> Sequence[click.Command]:
    """Both commands. ``progressing`` tells what is being done; ``conclude`` prints a report and leaves."""

    @click.command()
    @FOLDER
    @ON
    @click.pass_context
    def cleanup(context: click.Context, folder: Path, file: Path | None) -> None:
        """Delete what a drill in sandbox accounts left.

        By the record in the drill's folder DIR, and nothing else; may be repeated. Then looks whether anything is left,
        by that record and by the drill's tag.

        \b
        Exit codes:
          0  nothing is left
          1  something is left; it is said what and why
          2  usage or configuration error, a drill that is still running, or a damaged record; nothing was done
          3  nothing of the record is left, but something could not be looked for, or something else carries the tag
        """
        from drills.clock import WallClock
        from drills.resuming import cleaned_up

        with progressing() as progress:
            found = cleaned_up(folder, WallClock(), progress, file)
        tell(found)
        context.exit(exit_code(found))

    @click.command()
    @FOLDER
    @ON
    @click.pass_context
    def resume(context: click.Context, folder: Path, file: Path | None) -> None:
        """Go on with a drill that was killed.

        What ended stands. A scenario that was cut off before its response was decided is cleaned up after and run anew;
        one that was cut off later goes on with the recovery paths that are not proved yet, the interrupted one from its
        beginning. May itself be killed and repeated.

        It goes on only as the plan that was approved, in accounts that are proven safe again: run it from the same
        folder, with the estate and the provider file as they were. A drill that was told to stop, or in whose folder
        there is a stop file, is only cleaned up after and judged. Exit codes are those of run.
        """
        from drills.clock import WallClock
        from drills.resuming import resume as resume_folder

        with progressing() as progress:
            resumed = resume_folder(folder, WallClock(), progress, file)
        for line in resumed.lines or ("the drill had come to its end by itself",):
            click.echo(line)
        if resumed.found is not None:
            tell(resumed.found)
        conclude_report(context, resumed.report, folder)

    def conclude_report(context: click.Context, report: Report, folder: Path) -> None:
        conclude(context, report, folder, False)

    return (cleanup, resume)


def tell(found: CleanUp) -> None:
    """What was found and done, a line each; what is left last."""
    for line in found.proof:
        click.echo(f"looked: {line}")
    for deleted in found.deleted:
        click.echo(f"deleted: {deleted}")
    for going in found.going:
        click.echo(f"going: {going}")
    for other in found.others:
        click.echo(f"not this drill's: {other}")
    for gap in found.gaps:
        click.echo(f"could not be looked for: {gap}")
    for left in found.left:
        click.echo(f"LEFT: {left}")
    if not found.left:
        click.echo("nothing of the drill's record is left" + (" but what AWS deletes by itself" if found.going else ""))


def exit_code(found: CleanUp) -> int:
    if found.left:
        return SOMETHING_LEFT
    return UNKNOWN if found.gaps or found.others else CLEAN
