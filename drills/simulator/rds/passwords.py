"""The master user's password: which ones AWS takes, and the secret in which RDS keeps one that it manages.

Source: RDS API reference, CreateDBInstance; RDS user guide, Password management with RDS and AWS Secrets Manager.
"""

from __future__ import annotations

import json
import string

from moto.moto_api._internal import mock_random
from moto.secretsmanager.models import secretsmanager_backends

from drills.simulator.postgres.interface import Credentials
from drills.simulator.rds.calls import Call, Refused
from drills.simulator.rds.model import Cluster, Held, Instance
from drills.simulator.state import current

SHORTEST, LONGEST = 8, 128
FORBIDDEN = frozenset('/"@ ')
OWN_KEY = "alias/aws/secretsmanager"


def check_password(password: str | None) -> str:
    """Raises Refused for a password that AWS does not take."""
    said = "The parameter MasterUserPassword is not a valid password"
    if not password:
        raise Refused("InvalidParameterValue", "The parameter MasterUserPassword must not be blank.")
    if len(password) < SHORTEST:
        raise Refused("InvalidParameterValue", f"{said} because it is shorter than {SHORTEST} characters.")
    if len(password) > LONGEST:
        raise Refused("InvalidParameterValue", f"{said} because it is longer than {LONGEST} characters.")
    if any(not " " < one <= "~" or one in FORBIDDEN for one in password):
        raise Refused(
            "InvalidParameterValue",
            f"{said}. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
        )
    return password


def password_of(call: Call, held: Held) -> str:
    """The password of a new master user: the call's own, or one that RDS makes and keeps in a secret from now on."""
    if call.params.get("ManageMasterUserPassword"):
        if call.params.get("MasterUserPassword"):
            raise Refused(
                "InvalidParameterCombination",
                "You can't specify MasterUserPassword when ManageMasterUserPassword is enabled.",
            )
        return keep_in_secret(held, call.params.get("MasterUserSecretKmsKeyId"))
    return check_password(call.params.get("MasterUserPassword"))


def keep_in_secret(held: Held, key: str | None) -> str:
    """A new password, kept in a secret of the instance or cluster that RDS owns."""
    password = drawn()
    kind = "cluster" if isinstance(held, Cluster) else "db"
    tag = "aws:rds:primaryDBClusterArn" if isinstance(held, Cluster) else "aws:rds:primaryDBInstanceArn"
    secret = secretsmanager_backends[held.account][held.region].create_managed_secret(
        service_name="rds",
        secret_id=f"rds!{kind}-{mock_random.uuid4()}",
        secret_string=_content(held, password),
        description=f"The secret associated with the primary RDS DB {kind}: {_arn(held)}",
        kms_key_id=key,
        tags=[{"Key": tag, "Value": _arn(held)}],
    )
    held.master_secret_arn = str(secret.arn)
    held.master_secret_key = key or OWN_KEY
    return password


def rotate(held: Held) -> str:
    """A new password in the secret that there is."""
    password = drawn()
    backend = secretsmanager_backends[held.account][held.region]
    token = str(mock_random.uuid4())
    backend.update_secret(held.master_secret_arn, secret_string=_content(held, password), client_request_token=token)
    return password


def forget_secret(held: Held) -> None:
    """RDS deletes its secret when it no longer manages the password, and with the database."""
    if held.master_secret_arn is not None:
        backend = secretsmanager_backends[held.account][held.region]
        backend.delete_secret(held.master_secret_arn, None, True)
        held.master_secret_arn = held.master_secret_key = None


def set_on_server(held: Held, password: str) -> None:
    server = held.volume.server if held.volume is not None else None
    if server is not None:
        server.set_password(Credentials(held.master_username, password))


def drawn() -> str:
    """By the simulation's seed."""
    draw = current().rng("rds.passwords")
    return "".join(draw.choice(string.ascii_letters + string.digits + "!#$%&*()-_=+[]{}<>:?") for _ in range(28))


def _content(held: Held, password: str) -> str:
    return json.dumps({"username": held.master_username, "password": password})


def _arn(held: Held) -> str:
    assert isinstance(held, Instance | Cluster)
    return held.arn
