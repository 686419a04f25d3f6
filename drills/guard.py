"""The guard: a drill changes and destroys only what it made itself. Checked on every call, right before it is sent.

Two things must hold: the drill's own record says that it made the resource, and the resource still carries the drill's
tag, where it ever did. What is found there and not in the record was somebody else's before, whatever its name or its
tags say, and is never adopted. A call that changes something and that the guard does not know is not sent at all.

It listens to the events of the boto3 clients that a Site hands out, so that protections, kinds of store and scenarios
cannot forget it, users' own included. Source of the events: botocore, ``Extensibility guide``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from drills import guard_databases as databases
from drills.errors import ProtectionError
from drills.guard_rules import READS, RULES, Deed, Resource, Rule, absent, named_in, tags_given, tags_of_resource
from drills.intentions import Intentions
from drills.ownership import DRILL_TAG
from drills.stopping import Stop

CONTEXT = "drills_guard"
INTENTION = "drills_intention"
SQL = "postgresql"
"""What a record calls the service that statements are sent to."""


class Guard:
    """What one drill made in one world, and whether it gave each the drill's tag.

    ``record``, where the accounts are real, has each change on disk before it is sent; ``made`` is what an earlier
    process of the drill made, by that record. ``stop``: once it says so, nothing is changed any more.
    """

    def __init__(
        self,
        drill_id: str,
        record: Intentions | None = None,
        made: Mapping[Resource, bool] | None = None,
        stop: Stop | None = None,
    ) -> None:
        self.drill_id = drill_id
        self._record = record
        self._stop = stop
        self._tagged: dict[Resource, bool] = dict(made or {})

    def watch(self, client: Any, account: str) -> None:
        """Let nothing of this client pass unseen. Watching it again changes nothing."""
        events = client.meta.events
        region = str(client.meta.region_name)

        def asked(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context[CONTEXT] = dict(params)

        def sending(model: Any, context: dict[str, Any], **_: Any) -> None:
            service, operation, params = model.service_model.service_name, model.name, context[CONTEXT]
            new = self._let_pass(client, service, operation, params, account, region)
            rule = RULES.get((service, operation))
            if self._record is not None and rule is not None:
                context[INTENTION] = self._intend(
                    self._record, rule, (service, operation), params, account, region, new
                )

        def answered(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
            if self._record is not None and INTENTION in context:
                call = (model.service_model.service_name, model.name)
                self._done(self._record, RULES[call], context, parsed, account, region)
            if parsed["ResponseMetadata"]["HTTPStatusCode"] < 300:
                self._enter(model.service_model.service_name, model.name, context[CONTEXT], parsed, account, region)

        for event, listener in (("before-parameter-build", asked), ("before-call", sending), ("after-call", answered)):
            events.register(event, listener, unique_id=f"drills-guard-{event}")

    def has_made(self, resource: Resource) -> bool:
        return resource in self._tagged

    def adopt(self, resource: Resource, *, tagged: bool) -> None:
        """A resource is the drill's own after all, as was proved otherwise."""
        self._tagged[resource] = tagged or self._tagged.get(resource, False)

    def _let_pass(
        self, client: Any, service: str, operation: str, params: Mapping[str, Any], account: str, region: str
    ) -> list[Resource]:
        """Raises ProtectionError for what is not this drill's, and AWS's own error for what is not there at all.

        Returns what was looked up, is not there and would be made; only a record asks for that.
        """
        rule = RULES.get((service, operation))
        if rule is None:
            if not operation.startswith(READS) and service != "sts":
                raise ProtectionError(
                    f"{service} {operation}: expected a call of which the guard knows what it changes, found one it "
                    "does not know. It was not sent. Add its rule to drills/guard_rules.py."
                )
            return []
        if self._stop is not None:
            self._stop.check()
        if rule.deed is Deed.MAKES:
            named = named_in(rule, params, account, region) if self._record is not None else []
            return [resource for resource in named if absent(client, resource)]
        new: list[Resource] = []
        for resource in named_in(rule, params, account, region):
            if resource in self._tagged:
                if rule.deed is not Deed.FILLS and self._tagged[resource]:
                    self._check_tag(client, operation, resource)
            elif self.copied(client, resource):
                self._tagged[resource] = True
            elif absent(client, resource):
                if rule.deed is not Deed.MAKES_OR_CHANGES:
                    raise _not_there(operation, resource)
                new.append(resource)
            else:
                raise ProtectionError(
                    f"{resource}: expected one that this drill ({self.drill_id}) made before {operation}, found one "
                    "that it has no record of making. The call was not sent and it was left alone: if it is a "
                    "left-over, delete it by hand; else give the store or the estate another name."
                )
        return new

    def copied(self, client: Any, there: Resource) -> bool:
        """Whether a function that this drill made made it: a snapshot by its name, its tags, and what it is of."""
        if there.kind not in (databases.SNAPSHOT, databases.CLUSTER_SNAPSHOT):
            return False
        places = [one for one in self._tagged if (one.kind, *one[1:3]) == (databases.COPIES, *there[1:3])]
        return any(
            (kind, databases.identifier(about)) == (there.kind, there.name)
            and databases.source(about) in {(one.kind, one.name) for one in self._tagged}
            for place in places
            for kind, about in databases.copies(client, place.name)
        )

    def own(self, there: Resource, what: str) -> None:
        """Raises ProtectionError for what is in no record of this drill's, before ``what``."""
        if there not in self._tagged:
            raise ProtectionError(
                f"{there}: expected one that this drill ({self.drill_id}) made before {what}, found one that it has "
                "no record of making. Nothing was sent to it and it was left alone: give the store or the estate "
                "another name."
            )

    @contextmanager
    def statement(self, client: Any, there: Resource, what: str, *, often: bool = False) -> Iterator[None]:
        """Around what is sent to a database over a connection: held to the same rules as a call that changes it.

        ``client`` is one of RDS, of where the database lies. ``often``: the tag is not looked up, as for records.
        Raises Stopping, or ProtectionError for a database that is not this drill's; then nothing was sent.
        """
        if self._stop is not None:
            self._stop.check()
        self.own(there, what)
        if not often and self._tagged[there]:
            self._check_tag(client, what, there)
        if self._record is None:
            yield
            return
        number = self._record.intend((SQL, what), {}, there.account, there.region, changes=[there])
        try:
            yield
        except BaseException as error:
            self._record.done(number, type(error).__name__, certain=False)
            raise
        self._record.done(number, None)

    def _intend(
        self,
        record: Intentions,
        rule: Rule,
        call: tuple[str, str],
        params: Mapping[str, Any],
        account: str,
        region: str,
        new: list[Resource],
    ) -> int:
        named = named_in(rule, params, account, region)
        makes = rule.deed in (Deed.MAKES, Deed.MAKES_OR_CHANGES)
        return record.intend(
            call,
            params,
            account,
            region,
            makes=[*(named if makes else []), *rule.also_made(params, {}, account, region)],
            changes=[] if makes else named,
            new=new,
            tagged=tags_given(params).get(DRILL_TAG) == self.drill_id,
        )

    def _done(
        self,
        record: Intentions,
        rule: Rule,
        context: Mapping[str, Any],
        answer: Mapping[str, Any],
        account: str,
        region: str,
    ) -> None:
        about = answer["ResponseMetadata"]
        if about["HTTPStatusCode"] < 300:
            also = rule.also_made(context[CONTEXT], answer, account, region)
            record.done(context[INTENTION], None, list(also))
        else:
            # A try before this one may have been carried out without its answer arriving, and servers fail halfway.
            certain = about["HTTPStatusCode"] < 500 and about.get("RetryAttempts", 0) == 0
            record.done(context[INTENTION], str(answer.get("Error", {}).get("Code", "?")), certain=certain)

    def _check_tag(self, client: Any, operation: str, resource: Resource) -> None:
        tags = tags_of_resource(client, resource)
        if tags is None or tags.get(DRILL_TAG) == self.drill_id:
            return
        found = f"{DRILL_TAG}={tags[DRILL_TAG]}" if DRILL_TAG in tags else f"no tag {DRILL_TAG}"
        raise ProtectionError(
            f"{resource}: expected the tag {DRILL_TAG}={self.drill_id}, with which this drill made it, before "
            f"{operation}; found {found}. The call was not sent and it was left alone: somebody made it their own."
        )

    def _enter(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        answer: Mapping[str, Any],
        account: str,
        region: str,
    ) -> None:
        rule = RULES.get((service, operation))
        if rule is None:
            return
        tagged = tags_given(params).get(DRILL_TAG) == self.drill_id
        if rule.deed in (Deed.MAKES, Deed.MAKES_OR_CHANGES):
            for resource in named_in(rule, params, account, region):
                self._tagged[resource] = tagged or self._tagged.get(resource, False)
        elif tagged:
            self._tagged.update(dict.fromkeys(named_in(rule, params, account, region), True))
        for resource in rule.also_made(params, answer, account, region):
            self._tagged.setdefault(resource, False)


def _not_there(operation: str, resource: Resource) -> ClientError:
    message = f"{resource} is not there, and this drill did not make it: the call was not sent"
    error: Any = {"Error": {"Code": "ResourceNotFoundException", "Message": message}}
    error["ResponseMetadata"] = {"HTTPStatusCode": 400, "RetryAttempts": 0}
    return ClientError(error, operation)
