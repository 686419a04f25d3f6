"""What a call needs: which IAM actions on which resources, with what the call says for conditions.

Source: AWS service authorization reference, actions, resources and condition keys, per service. For a service that is
not described here, the action has the operation's name, and the resource is what the first ARN among the call's own
parameters names, else ``*``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from drills.simulator.needs import dynamodb, lambdas, rds, s3, security, services
from drills.simulator.needs.need import Need
from drills.simulator.request import Request

BY_SERVICE: dict[str, Callable[[Request], Iterable[Need]]] = {
    "dynamodb": dynamodb.needs,
    "s3": s3.needs,
    "lambda": lambdas.needs,
    "rds": rds.needs,
    "iam": security.iam,
    "sts": security.sts,
    "kms": security.kms,
    "sqs": services.sqs,
    "ssm": services.ssm,
    "logs": services.logs,
    "secretsmanager": services.secrets,
    "events": services.events,
    "monitoring": services.cloudwatch,
}


def needs_of(request: Request) -> list[Need]:
    """All that the caller must be allowed, at least one."""
    return list(BY_SERVICE.get(request.service, services.any_service)(request)) or [services.of_everything(request)]
