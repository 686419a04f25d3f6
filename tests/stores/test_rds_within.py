"""What differs within a database is put back by its master user, who is no superuser; the rest is a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg
import pytest

from drills.findings import setting_findings
from drills.model import JSON, Location
from drills.stores.rds import kind
from drills.stores.rds_application import log_in, renew_login
from drills.stores.rds_secret import keep_secret, read_secret, renew_password
from drills.workload import StoreWorkload
from drills.world_site import WorldSite
from tests.stores.database_site import (
    DATABASE,
    asked,
    by_check,
    database_site,
    events,
    filled,
    told,
)

MORE = """
      CREATE ROLE readers;
      CREATE ROLE reporting;
      CREATE ROLE auditor LOGIN;
      GRANT reporting TO CURRENT_USER;
      CREATE SCHEMA "Odd one";
      CREATE SCHEMA reports AUTHORIZATION reporting;
      CREATE TABLE reports.daily (day date);
      SET ROLE reporting;
      CREATE TABLE reports.weekly (week date);
      GRANT USAGE ON SCHEMA reports TO readers;
      RESET ROLE;
      ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO readers;
      ALTER DEFAULT PRIVILEGES IN SCHEMA "Odd one" GRANT EXECUTE ON ROUTINES TO readers WITH GRANT OPTION;
      ALTER DEFAULT PRIVILEGES FOR ROLE reporting GRANT USAGE ON SEQUENCES TO readers;
      ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
      REVOKE reporting FROM CURRENT_USER;
      ALTER DATABASE shop SET work_mem = '9MB';
      ALTER DATABASE shop SET search_path = "$user", public, reports;
      ALTER ROLE reporting SET statement_timeout = '5min';
      ALTER ROLE reporting IN DATABASE shop SET lock_timeout = '5s';
"""
FOR_REPORTING = "ALTER DEFAULT PRIVILEGES FOR ROLE reporting"
AS_READERS = (
    "GRANT readers TO CURRENT_USER; GRANT CREATE ON DATABASE shop TO readers; {};REVOKE readers FROM CURRENT_USER"
)
AS_REPORTING = "GRANT reporting TO CURRENT_USER; {}; REVOKE reporting FROM CURRENT_USER"


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorkload]:
    database = DATABASE.replace("      CREATE ROLE readers;\n", MORE.lstrip("\n"))
    assert MORE.strip() in database
    with database_site(tmp_path_factory.mktemp("within") / "drill", database) as site:
        made = filled(site, 5)
        told(site, made.at, "ANALYZE")
        site.note("made")
        yield made


def differing(site: WorldSite, at: Location, expected: Mapping[str, JSON]) -> set[str]:
    found = setting_findings(expected, kind.settings(site, at), "s")
    return {finding.check.removeprefix("settings.database.") for finding in found if finding.verdict == "fail"}


def refusals(site: WorldSite) -> int:
    return len(events(site, "setting.refused"))


@pytest.mark.parametrize(
    ("statements", "setting"),
    [
        ("ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM readers", "grants"),
        ("ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO readers, PUBLIC", "grants"),
        ("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON ROUTINES FROM PUBLIC", "grants"),
        ("ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO PUBLIC", "grants"),
        ('ALTER DEFAULT PRIVILEGES IN SCHEMA "Odd one" REVOKE EXECUTE ON ROUTINES FROM readers', "grants"),
        ('ALTER DEFAULT PRIVILEGES IN SCHEMA "Odd one" GRANT SELECT ON TABLES TO readers', "grants"),
        (AS_REPORTING.format(f"{FOR_REPORTING} REVOKE ALL ON SEQUENCES FROM readers"), "grants"),
        (AS_REPORTING.format("ALTER SCHEMA reports OWNER TO CURRENT_USER"), "grants"),
        (AS_READERS.format('ALTER SCHEMA "Odd one" OWNER TO readers'), "grants"),
        (AS_REPORTING.format("ALTER TABLE reports.weekly OWNER TO CURRENT_USER"), "grants"),
        (AS_REPORTING.format("REVOKE USAGE ON SCHEMA reports FROM readers"), "grants"),
        (AS_REPORTING.format("GRANT SELECT ON reports.weekly TO readers"), "grants"),
        ("ALTER DATABASE shop RESET work_mem", "database_settings"),
        ("ALTER DATABASE shop SET search_path = public", "database_settings"),
        ("ALTER DATABASE shop SET random_page_cost = 2", "database_settings"),
        ("ALTER ROLE reporting SET statement_timeout = '1min'", "database_settings"),
        ("ALTER ROLE reporting IN DATABASE shop RESET lock_timeout", "database_settings"),
        ("ALTER ROLE reporting IN DATABASE shop SET work_mem = '1MB'", "database_settings"),
        ("ALTER ROLE readers SET work_mem = '1MB'", "database_settings"),
    ],
)  # fmt: skip
def test_what_differs_is_named_and_put_back(workload: StoreWorkload, statements: str, setting: str) -> None:
    site, at = workload.site, workload.at
    before, refused = kind.settings(site, at), refusals(site)
    told(site, at, statements)
    assert differing(site, at, before) == {setting}
    kind.reconfigure(site, at, before)
    assert kind.settings(site, at) == before
    assert refusals(site) == refused
    kind.reconfigure(site, at, before)
    assert kind.settings(site, at) == before
    members = "SELECT count(*) FROM pg_auth_members WHERE grantor = current_user::regrole AND member = grantor"
    assert asked(site, at, members) == [(1,)], "what was lent was taken back; the application's role stays"


# --- The application's login -----------------------------------------------------------------------------------------


def without_the_role(site: WorldSite, at: Location, role: str) -> None:
    told(site, at, f"GRANT {role} TO CURRENT_USER; REASSIGN OWNED BY {role} TO CURRENT_USER")
    told(site, at, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_the_application_logs_in_with_what_the_secret_says(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    with log_in(site, at) as connection:
        assert connection.execute("SELECT session_user, current_user").fetchone() == ("shop_payments",) * 2
        assert connection.execute("SELECT count(*) FROM payments").fetchone() == (5,)
    told_of = by_check(kind.probe(site, at))["database.login"]
    assert told_of.verdict == "pass"
    assert told_of.observed == f"shop_payments logs in with what the secret rds/{at.name} says"


def test_a_login_with_another_password_is_found_and_put_right(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    settings = kind.settings(site, at)
    told(site, at, "ALTER ROLE shop_payments PASSWORD 'of somebody else'")
    found = by_check(kind.probe(site, at))
    assert [name for name, one in found.items() if one.verdict != "pass"] == ["database.login"]
    assert "shop_payments" in found["database.login"].observed
    kind.reconfigure(site, at, settings)
    assert by_check(kind.probe(site, at))["database.login"].verdict == "pass"
    kept = read_secret(site, at)
    kind.reconfigure(site, at, settings)
    assert read_secret(site, at) == kept, "one that opens the database is left as it is"


def test_a_secret_that_does_not_say_how_the_application_logs_in(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    secret = read_secret(site, at)
    keep_secret(site, at, secret["username"], secret["password"])
    found = by_check(kind.probe(site, at))["database.login"]
    assert found.verdict == "fail"
    assert f"expected the secret rds/{at.name} to hold the application's user and password" in found.observed
    kind.reconfigure(site, at, kind.settings(site, at))
    assert by_check(kind.probe(site, at))["database.login"].verdict == "pass"


def test_a_new_password_of_the_master_leaves_the_applications(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    before = read_secret(site, at)
    renew_password(site, at)
    after = read_secret(site, at)
    assert {name for name in before if before[name] != after[name]} == {"password"}
    log_in(site, at).close()


def test_an_application_whose_role_is_lost_has_it_again_with_a_login(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    before, secret = kind.settings(site, at), read_secret(site, at)
    without_the_role(site, at, "shop_payments")
    with pytest.raises(psycopg.OperationalError):
        log_in(site, at)
    kind.reconfigure(site, at, before)
    assert kind.settings(site, at) == before
    assert read_secret(site, at)["application_password"] != secret["application_password"]
    assert [one for one in kind.probe(site, at) if one.verdict != "pass"] == []
    assert "database.passwords" not in found_on_the_way(site)


def test_no_password_is_in_a_statement_or_the_history(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    renew_login(site, at)
    secret = read_secret(site, at)
    texts = [event.data for event in events(site, "setting.refused") + events(site, "check")]
    assert secret["application_password"] not in str(texts)
    ((activity,),) = asked(site, at, "SELECT string_agg(query, ' ') FROM pg_stat_activity")
    assert secret["application_password"] not in activity


# --- What cannot be put back -----------------------------------------------------------------------------------------


def found_on_the_way(site: WorldSite) -> dict[str, Mapping[str, JSON]]:
    return {str(event.mapping("finding")["check"]): event.mapping("finding") for event in events(site, "check")}


def test_another_role_that_logs_in_has_no_password_and_that_is_a_finding(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    before = kind.settings(site, at)
    without_the_role(site, at, "auditor")
    kind.reconfigure(site, at, before)
    assert kind.settings(site, at) == before
    finding = found_on_the_way(site)["database.passwords"]
    assert (finding["verdict"], finding["records_covered"]) == ("fail", 1)
    assert "made again without a password: auditor." in str(finding["observed"])
    assert "ALTER ROLE … PASSWORD" in str(finding["observed"])


def test_what_the_server_refuses_is_a_finding_with_its_reason(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    before = kind.settings(site, at)
    wanted = {name: dict(before[name]) for name in ("database.database_settings", "database.grants")}
    wanted["database.database_settings"]["role readers log_statement_stats"] = "on"
    was = str(wanted["database.grants"]["schema public"])
    wanted["database.grants"]["schema public"] = was.replace("owner pg_database_owner", "owner rdsadmin")
    asked_for = {**before, **wanted}
    kind.reconfigure(site, at, asked_for)
    found = found_on_the_way(site)
    for setting, statement in (
        ("database_settings", 'ALTER ROLE "readers" SET log_statement_stats'),
        ("grants", 'ALTER SCHEMA public OWNER TO "rdsadmin"'),
    ):
        finding = found[f"put_back.database.{setting}"]
        assert finding["verdict"] == "fail"
        assert statement in str(finding["observed"])
        assert "permission denied" in str(finding["observed"])
    assert kind.settings(site, at) == before


def test_a_role_that_does_not_log_in_is_asked_nothing(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    secret = read_secret(site, at)
    told(site, at, "ALTER ROLE shop_payments NOLOGIN")
    assert "database.login" not in by_check(kind.probe(site, at))
    renew_login(site, at)
    assert read_secret(site, at) == secret
    told(site, at, "ALTER ROLE shop_payments LOGIN")
