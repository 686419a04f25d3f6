"""``drills protect``, ``status``, ``points`` and ``restore``: parsing and printing only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from drills.model import AccountRole, Finding, Verdict
    from drills.own_estate import OwnEstate
    from drills.own_site import Progress
    from drills.protecting import Protected
    from drills.restoring import Chosen, Restored

Command = TypeVar("Command", bound=Callable[..., Any])
Progressing = Callable[[], Any]
EXIT_CODES: dict[Verdict, int] = {"pass": 0, "fail": 1, "unknown": 3}
BROKE = 4


def _options(many_stores: bool) -> Callable[[Command], Command]:
    """What the four commands have in common."""
    store = (
        click.option("--store", "stores", multiple=True, metavar="NAME", help="Only this store; may be repeated.")
        if many_stores
        else click.option("--store", required=True, metavar="NAME", help="The store, as the estate names it.")
    )
    options = [
        click.argument("estate", metavar="ESTATE"),
        click.option(
            "--on",
            required=True,
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="The accounts file: with which credentials each account is reached.",
        ),
        store,
        click.option("--protection", metavar="NAME", help="Only this protection."),
    ]

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def commands(progressing: Progressing) -> Iterable[click.Command]:
    """The commands. ``progressing`` gives the context in which progress is told."""

    @click.command()
    @_options(many_stores=True)
    @click.option("--dry-run", is_flag=True, help="List what would be made; call nothing.")
    @click.pass_context
    def protect(
        context: click.Context, estate: str, on: Path, stores: Sequence[str], protection: str | None, dry_run: bool
    ) -> None:
        """Protect stores that exist.

        Sets up what the ESTATE (a name or a file) says for its stores that exist in the accounts of FILE. Safe to
        repeat.
        """
        from drills import protecting

        with _opened(progressing, estate, on) as own:
            if dry_run:
                for one in protecting.wanted(own, stores, protection):
                    for made in one.resources:
                        where = f"{made.role} {own.estate.accounts[made.role].id}, {made.region}"
                        click.echo(f"{one.store.name}: {one.use.name} would make: {made.what} {made.name} ({where})")
                    if not one.resources:
                        click.echo(f"{one.store.name}: {one.use.name} would make nothing")
                return
            context.exit(_told(protecting.protect(own, stores, protection)))

    @click.command()
    @_options(many_stores=True)
    @click.pass_context
    def status(context: click.Context, estate: str, on: Path, stores: Sequence[str], protection: str | None) -> None:
        """Say how the protections are.

        Prints what monitoring would show of each protection of the ESTATE's stores that exist; changes nothing.
        """
        from drills import protecting

        with _opened(progressing, estate, on) as own:
            context.exit(_told(protecting.status(own, stores, protection)))

    @click.command()
    @_options(many_stores=False)
    @click.pass_context
    def points(context: click.Context, estate: str, on: Path, store: str, protection: str | None) -> None:
        """List the recovery points in reach.

        Lists those of a store of the ESTATE, newest first, with what can be reached now; changes nothing.
        """
        from drills import protecting

        with _opened(progressing, estate, on) as own:
            found = protecting.points(own, store, protection)
        for one in found:
            if one.reason:
                click.echo(f"{one.use}: none: {one.reason}")
            for point in one.points:
                since = f", any second since {_at(point.since)}" if point.since else ""
                lag = f", a live copy with up to {point.lag_seconds:g} s missing" if point.lag_seconds else ""
                click.echo(f"{one.use}: {_at(point.as_of)}{since}{lag} (account {point.account}, {point.region})")
        context.exit(0 if any(one.points for one in found) else 1)

    @click.command()
    @_options(many_stores=False)
    @click.option(
        "--to",
        default="latest",
        show_default=True,
        metavar="TIME|latest",
        help="The state to restore: RFC 3339, such as 2026-01-05T09:41:00Z, or a time back, such as -30m.",
    )
    @click.option(
        "--into", required=True, type=click.Choice(["production", "recovery"]), help="The account to restore into."
    )
    @click.option("--region", metavar="REGION", help="Its region.  [default: the account's home region]")
    @click.option("--as", "name", metavar="NAME", help="What the restored store is called.  [default: by its moment]")
    @click.option("--in-place", is_flag=True, help="Put the store itself back, over what is there now.")
    @click.option("--no-read-back", is_flag=True, help="Do not read every record back; exit code 3 at best.")
    @click.option("--yes", is_flag=True, help="Do not ask for the store's name to be typed.")
    @click.pass_context
    def restore(
        context: click.Context,
        estate: str,
        on: Path,
        store: str,
        protection: str | None,
        to: str,
        into: AccountRole,
        region: str | None,
        name: str | None,
        in_place: bool,
        no_read_back: bool,
        yes: bool,
    ) -> None:
        """Restore a store without a drill.

        Restores a store of the ESTATE into a new one, by its first protection that can, and verifies it. Never
        writes over a store, but with --in-place where the protection works so.
        """
        from drills import restoring

        asked = restoring.Asked(store, protection, to, into, region, name, in_place, not no_read_back)
        with _opened(progressing, estate, on) as own:
            chosen = restoring.choose(own, asked)
        for reason in chosen.passed_over:
            click.echo(f"passed over: {reason}")
        click.echo(chosen.describe())
        if not yes:
            _confirm(chosen)
        with _telling(progressing, own):
            restored = restoring.restore(own, chosen, read_back=asked.read_back)
        context.exit(_restored(restored))

    return (protect, status, points, restore)


@contextmanager
def _opened(progressing: Progressing, estate: str, on: Path) -> Iterator[OwnEstate]:
    from drills.clock import WallClock
    from drills.own_estate import OwnEstate

    own = OwnEstate(estate, on, WallClock())
    with _telling(progressing, own):
        yield own


@contextmanager
def _telling(progressing: Progressing, own: OwnEstate) -> Iterator[None]:
    """Progress goes to stderr; what AWS refuses is told on a line and is no crash of ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    from drills.errors import ProtectionError
    from drills.own_accounts import told

    progress: Progress
    with progressing() as progress:
        own.progress = progress
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise ProtectionError(f"{told(error)}. Check what these credentials may do, then repeat.") from error


def _confirm(chosen: Chosen) -> None:
    from drills.errors import UsageError

    name = chosen.store.name
    try:
        typed = click.prompt(f"Type the store's name, {name}, to go on", default="", show_default=False, err=True)
    except click.Abort:
        typed = ""
    if typed.strip() != name:
        raise UsageError(
            f"expected the store's name {name!r} to be typed, or --yes; found {typed!r}. Nothing was done."
        )


# --- Printing ------------------------------------------------------------------------------------------------------


def _told(done: Iterable[Protected]) -> int:
    """Print each protection as it is done; returns the exit code."""
    from drills.model import worst

    verdicts: list[Verdict] = []
    broke = False
    for one in done:
        heading = f"{one.store.name}: {one.use}"
        for change in one.changes:
            click.echo(f"{heading}: {change}")
        if one.error is not None:
            broke = True
            click.echo(f"{heading}: error: {one.error}", err=True)
            continue
        _findings(heading, one.findings)
        if not one.findings:
            click.echo(f"{heading}: " + ("done" if one.changes else "nothing to do"))
        verdicts += [finding.verdict for finding in one.findings]
    return BROKE if broke else EXIT_CODES[worst(verdicts)] if verdicts else 0


def _restored(restored: Restored) -> int:
    from drills.model import worst

    at, chosen = restored.at, restored.chosen
    click.echo(f"{chosen.store.name} as of {_at(chosen.point.as_of)} lies in {at.name}")
    click.echo(f"  account {at.account} ({at.role}), {at.region}")
    for note in restored.notes:
        click.echo(f"  {note}")
    _findings(chosen.store.name, restored.findings)
    in_place = chosen.way_back == "in_place"
    then = ", then repeat `drills protect`" if in_place else f", then point the application at {at.name}"
    click.echo(f"Next: replay erasures of people's data made since {_at(chosen.point.as_of)} from your register{then}.")
    return EXIT_CODES[worst(finding.verdict for finding in restored.findings)]


def _findings(heading: str, findings: Iterable[Finding]) -> None:
    for finding in findings:
        expected = "" if finding.verdict == "pass" else f"; expected: {finding.expected}"
        click.echo(f"{heading}: {finding.verdict}: {finding.check}: {finding.observed}{expected}")


def _at(time: Any) -> str:
    from datetime import UTC

    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
