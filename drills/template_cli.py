"""``drills template``: parsing and printing only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from drills.templates.writing import Format


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--estate", metavar="NAME|FILE", help="Write it for a store of this estate, all names filled in.")
@click.option("--store", metavar="NAME", help="That store.  [default: the only one with such a copy]")
@click.option(
    "--on",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="An accounts file, where it has other account ids or regions than the estate. No account is called.",
)
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the copy; no --estate.")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Where the files go.  [default: ./NAME]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Of the templates.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def template(
    name: str,
    estate: str | None,
    store: str | None,
    on: Path | None,
    options: tuple[str, ...],
    out: Path | None,
    form: Format,
    force: bool,
) -> None:
    """Write a copy's CloudFormation.

    Writes the templates of both accounts, and the packages of the functions, of the copy NAME, such as stream-copy.
    Calls nothing. The same input gives the same bytes.
    """
    from drills.template_files import Asked, bundle_of, write

    asked = Asked(name, estate, store, on, options)
    wrote = write(bundle_of(asked), out or Path(name), form, force=force)
    for stack in wrote.stacks:
        click.echo(f"wrote {stack.file}: a stack in {stack.account}, {stack.region}")
    for package in wrote.packages:
        click.echo(f"wrote {package}: the function's package")
    click.echo("Next:")
    for number, step in enumerate(wrote.steps, 1):
        click.echo(f"  {number}. {step}")
