"""The command line: argument parsing and printing only. What costs is imported where it is needed."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

import drills
from drills.clean_up_cli import commands as clean_up_commands
from drills.collecting import collecting_rarely
from drills.compare_cli import compare
from drills.errors import DrillError
from drills.own_cli import commands as own_commands
from drills.template_cli import template

if TYPE_CHECKING:
    from drills.model import Report

PASSED, FAILED, USAGE, UNKNOWN, BROKE, STOPPED = 0, 1, 2, 3, 4, 5
INTERRUPTED = 130
Command = TypeVar("Command", bound=Callable[..., Any])
Paths = Literal["all", "preferred"]

EXIT_CODES = """\b
Exit codes:
  0  everything passed
  1  a check or an objective failed
  2  usage or configuration error; nothing was done
  3  nothing failed, but something is unknown
  4  the drill itself broke; the report was still written and clean-up done
  5  the drill was told to stop; the report was written and clean-up done"""


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(drills.__version__, prog_name="drills")
def cli() -> None:
    """Disaster-recovery drills for AWS: destroy on purpose, restore by the real path, prove what came back."""


def drill_options(command: Command) -> Command:
    """What ``run`` and ``plan`` have in common."""
    options = [
        click.argument("scenarios", nargs=-1, metavar="[SCENARIO]..."),
        click.option("--estate", default="shop", show_default=True, metavar="NAME|FILE", help="The estate to drill."),
        click.option(
            "--on", default="simulated", show_default=True, metavar="simulated|FILE", help="Where the drill runs."
        ),
        click.option("--store", "stores", multiple=True, metavar="NAME", help="Only this store; may be repeated."),
        click.option(
            "--paths",
            type=click.Choice(["all", "preferred"]),
            default="all",
            show_default=True,
            help="Prove every recovery path that survives, or only the preferred one.",
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="Decides data, workload and durations."),
        click.option(
            "--records",
            type=click.IntRange(1, 10_000_000),
            default=2000,
            show_default=True,
            help="How many records to make, over all stores.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@drill_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where the drill's folder goes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report's JSON to stdout and nothing else.")
@click.option(
    "--approve", metavar="DIGEST", help="In real accounts: run the plan of this digest; nothing is asked.  [see plan]"
)
@click.pass_context
def run(
    context: click.Context,
    scenarios: tuple[str, ...],
    estate: str,
    on: str,
    stores: tuple[str, ...],
    paths: Paths,
    seed: int,
    records: int,
    out: Path,
    as_json: bool,
    approve: str | None,
) -> None:
    """Run a drill and write its report.

    Runs every SCENARIO, all of them when none is named, on every store of the estate.

    A SCENARIO is a name, or name:variant for one of its variants.
    """
    from drills.running import run_drill
    from drills.sandbox_cli import approval, check_approval

    check_approval(on, approve)
    with _progress() as progress:
        report, folder = run_drill(
            scenarios,
            out=out,
            progress=progress,
            **({} if on == "simulated" else {"approve": approval(approve)}),
            on=on,
            estate=estate,
            stores=stores or None,
            paths=paths,
            seed=seed,
            records=records,
        )
    _conclude(context, report, folder, as_json)


@cli.command()
@drill_options
@click.option("--permissions", is_flag=True, help="In real accounts: print each role's IAM policy as JSON instead.")
def plan(
    scenarios: tuple[str, ...],
    estate: str,
    on: str,
    stores: tuple[str, ...],
    paths: Paths,
    seed: int,
    records: int,
    permissions: bool,
) -> None:
    """Say what a drill would do; touch nothing.

    Lists what would be made, destroyed, restored and checked; in real accounts also every call and the permissions
    that it needs, duration and cost, and the digest to approve the plan by.
    """
    from drills.running import plan_drill
    from drills.sandbox_cli import told_plan

    planned = plan_drill(
        scenarios, on=on, estate=estate, stores=stores or None, paths=paths, seed=seed, records=records
    )
    for line in told_plan(planned, permissions):
        click.echo(line)


@cli.command(name="list")
def list_all() -> None:
    """List scenarios, estates, protections, providers."""
    from drills.listing import sections

    broken: list[str] = []
    for heading, rows in sections():
        click.echo(f"{heading}:")
        width = max((len(row.name) for row in rows), default=0)
        for row in rows:
            origin = "" if row.origin == "built in" else f" ({row.origin})"
            click.echo(f"  {row.name:<{width}}  {row.summary}{origin}")
            if row.error:
                broken.append(row.error)
    if broken:
        from drills.errors import UsageError

        raise UsageError("\n".join(broken))


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.pass_context
def judge(context: click.Context, folder: Path) -> None:
    """Judge a drill again from its evidence.

    Findings, figures and reports in the drill's folder DIR are made anew; exit codes are those of run.
    """
    from drills.judge import judge as judge_folder
    from drills.report import write_all

    report = judge_folder(folder)
    write_all(report, folder)
    _conclude(context, report, folder, as_json=False)


@cli.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--sandbox", is_flag=True, help="Write sandbox.yaml, a provider file for a game day, instead.")
def init(folder: Path, sandbox: bool) -> None:
    """Write a starter for your own repository.

    Puts scenarios/, fixtures/ and files for CI into DIR (here, when none is given). Overwrites nothing.
    """
    from drills.starting import start

    started = start(folder, sandbox=sandbox)
    for path in started.written:
        click.echo(f"wrote {path}")
    for path in started.left_alone:
        click.echo(f"left alone {path}: it exists already")
    click.echo(f"Next: {started.next_command}")


def _conclude(context: click.Context, report: Report, folder: Path, as_json: bool) -> None:
    """Print what a drill concluded and leave with its exit code."""
    from drills.judge import broke, stopped

    if as_json:
        click.echo((folder / "report.json").read_bytes(), nl=False)
    else:
        from drills.matrix_table import print_matrix

        print_matrix(report)
        click.echo(f"report: {folder / 'report.html'}")
    verdicts = {"pass": PASSED, "fail": FAILED, "unknown": UNKNOWN}
    code = BROKE if broke(folder) else verdicts[report.verdict]
    context.exit(STOPPED if stopped(folder) else code)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Tells on stderr what is being done: one moving line on a terminal, a line each elsewhere."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda line: click.echo(line, err=True)
        return
    with console.status("planning") as status:
        yield lambda line: status.update(line.replace("[", "\\["))


for own_command in own_commands(_progress):
    cli.add_command(own_command)
cli.add_command(template)
for clean_up_command in clean_up_commands(_progress, _conclude):
    cli.add_command(clean_up_command)

cli.add_command(compare)


def main(arguments: Sequence[str] | None = None) -> None:
    """The ``drills`` command. Leaves with one of the documented exit codes and never with a traceback."""
    with collecting_rarely():
        code = _exit_code(arguments)
    sys.exit(code)


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        with cli.make_context("drills", list(sys.argv[1:] if arguments is None else arguments)) as context:
            cli.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except DrillError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        return PASSED
    except Exception as error:  # noqa: BLE001 - the last resort: whatever happens, no traceback on the terminal.
        return _crashed(error)
    return PASSED


def _crashed(error: Exception) -> int:
    from drills.redaction import text_of_a_crash

    with tempfile.NamedTemporaryFile("w", prefix="drills-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(text_of_a_crash("".join(traceback.format_exception(error))))
    reason = text_of_a_crash(str(error)).partition("\n")[0]
    click.echo(f"error: drills broke: {type(error).__name__}: {reason}\nThe details are in {file.name}", err=True)
    return BROKE
