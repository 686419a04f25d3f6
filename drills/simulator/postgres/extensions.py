"""Extensions that a managed PostgreSQL lets its master user create, though only a superuser may by themselves.

PostgreSQL 18 and later look for extensions in further folders: one is made with copies that are marked as trusted, and
whose functions the masters may run. Older servers let a master user create only what is trusted anyway.
Source: Amazon RDS for PostgreSQL, supported extensions.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from drills.simulator.postgres.home import Home
from drills.simulator.postgres.interface import Programs
from drills.simulator.postgres.settings import MASTERS

FROM_VERSION = 18
OPENED = (
    "amcheck",
    "autoinc",
    "bloom",
    "dblink",
    "dict_xsyn",
    "earthdistance",
    "insert_username",
    "intagg",
    "moddatetime",
    "pageinspect",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_visibility",
    "pg_walinspect",
    "pgrowlocks",
    "pgstattuple",
    "postgres_fdw",
    "refint",
    "sslinfo",
    "vector",
    "xml2",
)
GRANTS = f"""
DO $grants$
DECLARE made record;
BEGIN
  FOR made IN SELECT classid, objid FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
      AND refobjid = (SELECT oid FROM pg_extension WHERE extname = '@NAME@')
  LOOP
    IF made.classid = 'pg_proc'::regclass THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {MASTERS}', made.objid::regprocedure);
    ELSIF made.classid = 'pg_foreign_data_wrapper'::regclass THEN
      EXECUTE (SELECT format('GRANT USAGE ON FOREIGN DATA WRAPPER %I TO {MASTERS}', fdwname)
               FROM pg_foreign_data_wrapper WHERE oid = made.objid);
    END IF;
  END LOOP;
END $grants$;
"""


def opened(programs: Programs, version: int, folder: Path, home: Home) -> dict[str, str]:
    """Make the folder; the setting that has servers look there, none where they cannot."""
    installed = next((place for place in _places(programs, version) if place.is_dir()), None)
    if version < FROM_VERSION or installed is None:
        return {}
    home.make_folder(folder)
    ours = home.make_folder(folder / "extension")
    for name in OPENED:
        control = installed / f"{name}.control"
        if control.exists():
            _open(name, control, ours, home)
    return {"extension_control_path": f"{folder}:$system"}


def _open(name: str, control: Path, ours: Path, home: Home) -> None:
    told = control.read_text()
    version = re.search(r"^default_version\s*=\s*'([^']+)'", told, re.MULTILINE)
    home.write(ours / control.name, f"{told}\ntrusted = true\n")
    for script in control.parent.glob(f"{name}--*.sql"):
        copy = ours / script.name
        shutil.copyfile(script, copy)
        if version is not None and script.stem.endswith(f"--{version[1]}"):
            copy.write_text(copy.read_text() + GRANTS.replace("@NAME@", name))
        home.give(copy)


def _places(programs: Programs, version: int) -> Iterator[Path]:
    yield programs.folder.parent / "share" / "extension"
    yield programs.folder.parent / "share" / "postgresql" / "extension"
    yield Path(f"/usr/share/postgresql/{version}/extension")
    yield programs.folder.parent / "share" / f"postgresql@{version}" / "extension"
