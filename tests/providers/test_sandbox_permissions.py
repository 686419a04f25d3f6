"""The policies that a plan prints are what a drill needs, no more and no less: on a simulated AWS that enforces IAM."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drills import engine
from drills.accounts_file import ALL_ROLES
from drills.clock import Clock, ClockKind
from drills.drill_plan import ScenarioUse
from drills.estate import parse_estate
from drills.guard_rules import Resource
from drills.intentions import Header, Made, Told
from drills.judge import judge
from drills.model import Account, Report
from drills.plugins import load_scenario
from drills.providers.sandbox import SandboxProvider
from drills.resuming import asking
from drills.sandbox_file import parse_sandbox
from drills.sandbox_plan import SandboxPlan, sandbox_plan
from drills.simulator import SimulatedAWS
from tests import small_bucket, small_drill
from tests.own_ground import ELSEWHERE, PRODUCTION, RECOVERY, VAULT, write_profiles

IDS = {"production": PRODUCTION, "vault": VAULT, "recovery": RECOVERY}
FILE = """
accounts:
  production: {id: "101010101010", role_arn: "arn:aws:iam::101010101010:role/drills", profile: stranger}
  vault: {id: "202020202020", role_arn: "arn:aws:iam::202020202020:role/drills", profile: stranger}
  recovery: {id: "303030303030", role_arn: "arn:aws:iam::303030303030:role/drills", profile: stranger, EXTERNAL}
""".replace(", EXTERNAL", ", external_id: what-the-trust-asks-for")
Policies = Mapping[str, Any]


def shortened(text: str, protections: str) -> str:
    """The estate with these protections, written to for a few minutes: as many calls as show them all, and no more."""
    text = re.sub(r"protections: .*", f"protections: {protections}", text)
    text = re.sub(r"detect: .*", "detect: {default: 2m}", text)
    return re.sub(r"decide: .*", "decide: 1m", text).replace("workload_minutes: 80", "workload_minutes: 7")


TABLE = shortened(small_drill.TEXT, "[{dynamodb_backup: {every: 3m, keep: 40}}]")
COPIED_TABLE = shortened(small_drill.TEXT, "[dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]")
BUCKET = shortened(small_bucket.TEXT, "[s3_versioning, s3_replication]")
STAGES = {
    "table": ("bulk_erase", TABLE),
    "copied table": ("account_loss", COPIED_TABLE),
    "deleted table": ("table_deletion", COPIED_TABLE),
    "bucket": ("bulk_erase", BUCKET),
    "copied bucket": ("account_loss", BUCKET),
}


class LateClock:
    """The clock of a simulated AWS that is entered later."""

    kind: ClockKind = "wall"
    of: Clock

    def now(self) -> Any:
        return self.of.now()

    def sleep(self, seconds: float) -> None:
        self.of.sleep(seconds)


@dataclass
class Stage:
    """A drill that is planned once, and run with this or that policy."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    scenario: str
    text: str
    clock: LateClock = field(default_factory=LateClock)
    planned: SandboxPlan = field(init=False)
    runs: int = 0
    after: Callable[[SimulatedAWS], None] = lambda _: None
    """Asked at the end of each run."""

    def __post_init__(self) -> None:
        given = parse_sandbox(FILE, "sandbox.yaml")
        provider = SandboxProvider(given, self.clock, lambda: self.clock.now().timestamp())
        estate = given.of(parse_estate(self.text, file="small.yaml", name="small", folder=Path("fixtures")))
        scenario = load_scenario(self.scenario)
        use = ScenarioUse(self.scenario, next(iter(scenario.variants), ""), scenario)
        self.planned = sandbox_plan(engine.plan(estate, [use], provider, 3, records=20), provider)

    def policies(self) -> dict[str, Any]:
        """What the drill's own calls need, clean-up aside."""
        from drills.permissions import to_attach

        plan = self.planned.plan
        made = to_attach(self.planned.called, [plan.prefix_of(use) for use in plan.scenarios], "drill-")
        return {str(role): policy for role, policy in made.items()}

    def run(self, policies: Policies) -> tuple[Report | None, str]:
        """The drill's report and all that its history says; no report where it was refused beforehand."""
        self.runs += 1
        out = self.folder / str(self.runs)
        plan, provider = self.planned.plan, self.planned.provider
        with SimulatedAWS(seed=3, start=plan.drill.started, replica_source_kept_seconds=0) as aws:
            self.clock.of = aws.clock
            write_profiles(self.folder, aws, self.monkeypatch)
            for role, account in IDS.items():
                _role(aws, role, account, policies)
            try:
                provider.check(plan.estate)
            except Exception as error:  # noqa: BLE001 - whatever refuses it is what is asked for.
                return None, str(error)
            folder = engine.run(plan, out, lambda _: None)
            self.after(aws)
        return judge(folder), (folder / "history.jsonl").read_text()


def _role(aws: SimulatedAWS, role: str, account: str, policies: Policies) -> None:
    iam = aws.session(account).client("iam")
    trust: dict[str, Any] = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ELSEWHERE}}
    if role == "recovery":
        trust["Condition"] = {"StringEquals": {"sts:ExternalId": "what-the-trust-asks-for"}}
    iam.create_role(RoleName="drills", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    if role in policies:
        iam.put_role_policy(RoleName="drills", PolicyName="drills", PolicyDocument=json.dumps(policies[role]))
    iam.create_account_alias(AccountAlias=f"acme-sandbox-{role}")


def actions_of(policies: Policies) -> list[tuple[str, str]]:
    return sorted(
        (role, action)
        for role, one in policies.items()
        for statement in one["Statement"]
        for action in statement["Action"]
    )


def without(policies: Policies, role: str, action: str) -> dict[str, Any]:
    """The same policies, but that this role may not do this."""
    less = json.loads(json.dumps(policies))
    for statement in less[role]["Statement"]:
        statement["Action"] = [one for one in statement["Action"] if one != action]
    less[role]["Statement"] = [statement for statement in less[role]["Statement"] if statement["Action"]]
    return dict(less)


def not_passed(report: Report) -> dict[str, str]:
    findings = [finding for cell in report.cells for one in cell.attempts for finding in one.findings]
    return {one.check: one.observed for one in (*findings, *report.findings) if one.verdict != "pass"}


Refused = tuple[dict[str, str], str]
"""What did not pass, by check, and all that the drill said."""


def ran(stage: Stage, policies: Policies) -> Refused:
    report, said = stage.run(policies)
    return ({"refused": said} if report is None else not_passed(report)), said


def names(less: Refused, action: str, before: Mapping[str, str]) -> bool:
    """Whether more than before did not pass, clean-up aside, and the action is named."""
    checks, said = less
    return action in said and any(before.get(one) != checks[one] for one in checks.keys() - {"clean_up"})


@pytest.fixture
def backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch, *STAGES["table"])


RARELY = [pytest.param(stage, marks=pytest.mark.soak) for stage in STAGES if stage != "table"]


@pytest.mark.parametrize("stage", ["table", *RARELY])
def test_exactly_them_are_enough(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = Stage(tmp_path, monkeypatch, *STAGES[stage])
    checks, said = ran(ready, {str(role): policy for role, policy in ready.planned.permissions().items()})
    # Where the account is lost, so are the recovery points in it.
    assert set(checks) <= {"recovery_point"}
    assert "clock.jumped" not in said


SAMPLE = 5
"""Every so many actions one is left out by default."""


def test_one_less_is_named(backup: Stage) -> None:
    assert left_out(backup, every=SAMPLE) == []


@pytest.mark.soak
@pytest.mark.parametrize("stage", STAGES)
def test_each_one_less_is_named(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert left_out(Stage(tmp_path, monkeypatch, *STAGES[stage]), every=1) == []


def left_out(stage: Stage, every: int) -> list[tuple[str, str]]:
    """The actions, of every so many one, without which a drill does not say that it lacks them."""
    policies = stage.policies()
    before, _ = ran(stage, policies)
    return [
        (role, action)
        for role, action in actions_of(policies)[::every]
        if not names(ran(stage, without(policies, role, action)), action, before)
    ]


@pytest.mark.soak
@pytest.mark.parametrize("scenario", ["account_loss", "region_outage", "table_deletion"])
def test_lost_accounts_and_regions_are_denied_by_aws_as_well(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = "[dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]"
    stage = Stage(tmp_path, monkeypatch, scenario, shortened(small_drill.TEXT, every))
    report, _ = stage.run(stage.policies())
    assert report is not None
    enforced = [finding for finding in report.findings if finding.check == "enforcement"]
    if scenario != "table_deletion":
        (one,) = enforced
        assert (one.verdict, "by a session policy that AWS was seen to enforce" in one.observed) == ("pass", True)
    assert not_passed(report).keys() <= {"clean_up", "recovery_point"}
    assert any(attempt.verdict == "pass" for cell in report.cells for attempt in cell.attempts)


def test_a_session_reaches_nothing_beside_the_drill(backup: Stage) -> None:
    """Not even with a role that may do anything."""
    plan, provider = backup.planned.plan, backup.planned.provider
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    with SimulatedAWS(seed=3, start=plan.drill.started) as aws:
        backup.clock.of = aws.clock
        write_profiles(backup.folder, aws, backup.monkeypatch)
        for role, account in IDS.items():
            _role(aws, role, account, dict.fromkeys(IDS, anything))
        # Whatever the plan lists: here it is AWS that is asked.
        provider.planned = None
        with provider.open(plan.estate, 3) as world:
            dynamodb = world.client("dynamodb", "production", "eu-west-1")
            given: Any = {
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
            }
            dynamodb.create_table(TableName=f"{plan.prefix}a-mine", **given)
            with pytest.raises(dynamodb.exceptions.ClientError, match="no session policy allows"):
                dynamodb.create_table(TableName="drill-somebody-elses", **given)
            with pytest.raises(Exception, match="no session policy allows"):
                world.client("sqs", "production", "eu-west-1").create_queue(QueueName=f"{plan.prefix}a-queue")


def test_cleaning_up_by_a_record_reaches_nothing_but_what_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even with a role that may do anything, and nothing is made by it."""
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    (tmp_path / "sandbox.yaml").write_text(FILE)
    given: Any = {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    with SimulatedAWS(seed=3) as aws:
        write_profiles(tmp_path, aws, monkeypatch)
        for role, account in IDS.items():
            _role(aws, role, account, dict.fromkeys(IDS, anything))
        plain = aws.session(PRODUCTION, "eu-west-1").client("dynamodb")
        for name in ("drill-ab123a-people", "drill-of-somebody-else"):
            plain.create_table(TableName=name, **given)
        aws.clock.sleep(60)
        accounts = {role: Account(role, IDS[role], "eu-west-1") for role in ALL_ROLES}
        header = Header("small-20260105-090000-0ab123", accounts, str(tmp_path / "sandbox.yaml"), None)
        there = Resource("table", PRODUCTION, "eu-west-1", "drill-ab123a-people")
        told = Told(header, {there: Made(there, PRODUCTION, "eu-west-1", True, aws.clock.now())})
        dynamodb = asking(header, None, told)("dynamodb", "production", "eu-west-1")
        attempts: tuple[Callable[[], Any], ...] = (
            lambda: dynamodb.delete_table(TableName="drill-of-somebody-else"),
            lambda: dynamodb.put_item(TableName=there.name, Item={"id": {"S": "x"}}),
            lambda: dynamodb.create_table(TableName="drill-ab123a-more", **given),
        )
        for attempt in attempts:
            with pytest.raises(dynamodb.exceptions.ClientError, match="no session policy allows"):
                attempt()
        dynamodb.delete_table(TableName=there.name)
        aws.clock.sleep(60)
        assert plain.list_tables()["TableNames"] == ["drill-of-somebody-else"]
