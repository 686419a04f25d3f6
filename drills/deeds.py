"""What a drill made, restored and destroyed, as its own calls tell: for the plan, and for what is left at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from drills import guard_databases as databases
from drills.guard_rules import RULES, Deed, Resource, named_in
from drills.model import AccountRole

CONTEXT = "drills_deeds"
What = Literal["make", "restore", "destroy"]
DESTROYED_BY: Mapping[str, tuple[str, ...]] = {
    "table": ("DeleteTable",),
    "backup": ("DeleteBackup",),
    "bucket": ("DeleteBucket",),
    "function": ("DeleteFunction",),
    "event source mapping": ("DeleteEventSourceMapping",),
    "role": ("DeleteRole",),
    "queue": ("DeleteQueue",),
    "rule": ("DeleteRule",),
    "alarm": ("DeleteAlarms",),
    "parameter": ("DeleteParameter", "DeleteParameters"),
    "key": ("ScheduleKeyDeletion",),
    "alias": ("DeleteAlias",),
    "secret": ("DeleteSecret",),
    databases.INSTANCE: ("DeleteDBInstance",),
    databases.CLUSTER: ("DeleteDBCluster",),
    databases.SNAPSHOT: ("DeleteDBSnapshot",),
    databases.CLUSTER_SNAPSHOT: ("DeleteDBClusterSnapshot",),
    databases.BACKUP: ("DeleteDBInstanceAutomatedBackup",),
    databases.GLOBAL: ("DeleteGlobalCluster",),
    databases.KINDS["pg"]: ("DeleteDBParameterGroup",),
    databases.KINDS["cluster-pg"]: ("DeleteDBClusterParameterGroup",),
    databases.KINDS["og"]: ("DeleteOptionGroup",),
}
"""The calls that destroy a resource as a whole: others whose names begin alike take only a part of it away."""
ENDS_BY_ITSELF = frozenset({"batch job"})
"""Kinds that no call destroys."""


@dataclass(frozen=True, slots=True)
class Done:
    """One resource that was made, restored or destroyed, by which account role's credentials.

    Of a database's instance also what it costs by, as far as the call says.
    """

    what: What
    role: AccountRole
    resource: Resource
    instance_class: str = ""
    storage_gb: int = 0
    multi_az: bool = False


class Deeds:
    """Listens to clients. Only calls that AWS answered without an error count."""

    def __init__(self) -> None:
        self.done: list[Done] = []
        self._there: dict[Resource, None] = {}

    @property
    def left(self) -> tuple[Resource, ...]:
        """What was made and not destroyed since, oldest first."""
        return tuple(one for one in self._there if one.kind not in ENDS_BY_ITSELF)

    def watch(self, client: Any, role: AccountRole, account: str) -> None:
        """Let nothing of this client pass unseen. Watching it again changes nothing."""
        region = str(client.meta.region_name)

        def asked(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context[CONTEXT] = dict(params)

        def answered(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
            if parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 300 and CONTEXT in context:
                call = (model.service_model.service_name, model.name)
                self._enter(call, context[CONTEXT], parsed, role, account, region)

        listeners: tuple[tuple[str, Callable[..., None]], ...] = (
            ("before-parameter-build", asked),
            ("after-call", answered),
        )
        for event, listener in listeners:
            client.meta.events.register(event, listener, unique_id=f"drills-deeds-{event}")

    def _enter(
        self,
        call: tuple[str, str],
        params: Mapping[str, Any],
        answer: Mapping[str, Any],
        role: AccountRole,
        account: str,
        region: str,
    ) -> None:
        rule = RULES.get(call)
        if rule is None:
            return
        named = named_in(rule, params, account, region)
        if named and call[1] in DESTROYED_BY.get(named[0].kind, ()):
            for resource in named:
                self.done.append(Done("destroy", role, resource))
                self._there.pop(resource, None)
            return
        made = named if rule.deed in (Deed.MAKES, Deed.MAKES_OR_CHANGES) else []
        for resource in [*made, *rule.also_made(params, answer, account, region)]:
            if resource not in self._there:
                self.done.append(_done("restore" if call[1].startswith("Restore") else "make", role, resource, params))
            self._there[resource] = None


def _done(what: What, role: AccountRole, resource: Resource, params: Mapping[str, Any]) -> Done:
    size = str(params.get("DBInstanceClass", ""))
    return Done(what, role, resource, size, int(params.get("AllocatedStorage", 0)), bool(params.get("MultiAZ", False)))
