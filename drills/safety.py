"""Guilty until proven safe: what must hold of every account before a drill makes its first change.

Read only. The mark is the account's IAM alias, as it is the one thing that a member account can read of itself: the
tags of an account are told by AWS Organizations to its management account and delegated administrators only.
Source: AWS Organizations API reference, ListTagsForResource, DescribeOrganization (callable from any account of the
organization); IAM API reference, ListAccountAliases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.errors import UsageError
from drills.model import Account, AccountRole
from drills.own_accounts import told

MARK = "sandbox"
NOT_IN_ONE = "AWSOrganizationsNotInUseException"
Ask = Callable[[str, AccountRole], Any]
ACTIONS = ("iam:ListAccountAliases", "organizations:DescribeOrganization")
"""What the checks need to be allowed; GetCallerIdentity needs no permission."""


def check(accounts: Mapping[AccountRole, Account], ask: Ask, file: str, *, organizations: bool = True) -> None:
    """Raises UsageError for the first account that is not proven safe.

    ``ask`` gives a client of a service with an account role's credentials. ``organizations`` is False only at an
    endpoint that is known not to be AWS and to tell every account that it is the management account.
    """
    _differ(accounts, file)
    for role, account in accounts.items():
        is_the_account(role, account, ask, file)
    for role, account in accounts.items():
        if organizations:
            _is_not_the_management_account(role, account, ask, file)
        _is_marked(role, account, ask, file)


def _differ(accounts: Mapping[AccountRole, Account], file: str) -> None:
    ids = [account.id for account in accounts.values()]
    if len(set(ids)) != len(ids):
        raise UsageError(
            f"{file}: expected three different accounts, found {', '.join(ids)}: a copy beside its original is lost "
            "with it. Nothing was done."
        )


def is_the_account(role: AccountRole, account: Account, ask: Ask, file: str) -> None:
    found = _answer(role, "who these credentials are", lambda: ask("sts", role).get_caller_identity(), file)["Account"]
    if found != account.id:
        raise UsageError(
            f"{file}: accounts.{role} leads into account {found}; expected {account.id}. A drill destroys: correct the "
            "profile or the role, or accounts.{role}.id. Nothing was done.".replace("{role}", role)
        )


def _is_not_the_management_account(role: AccountRole, account: Account, ask: Ask, file: str) -> None:
    def asked() -> str:
        try:
            answer = ask("organizations", role).describe_organization()
        except ClientError as error:
            if error.response["Error"]["Code"] == NOT_IN_ONE:
                return ""
            raise
        return str(answer["Organization"]["MasterAccountId"])

    if _answer(role, "which is its organization's management account", asked, file) == account.id:
        raise UsageError(
            f"{file}: accounts.{role} is {account.id}, the management account of its organization; expected a member "
            "account, as nobody drills where every account hangs on. Nothing was done."
        )


def _is_marked(role: AccountRole, account: Account, ask: Ask, file: str) -> None:
    answer = _answer(role, "its alias", lambda: ask("iam", role).list_account_aliases(), file)
    aliases = [str(alias) for alias in answer["AccountAliases"]]
    if not any(MARK in alias.split("-") for alias in aliases):
        found = f"the alias {aliases[0]!r}" if aliases else "no alias"
        raise UsageError(
            f"{file}: accounts.{role} ({account.id}): expected an account alias with the word {MARK!r} in it, by which "
            f"its owners say that it may be destroyed in; found {found}. If it may, run `aws iam create-account-alias "
            f"--account-alias your-name-{MARK}` in it. Nothing was done."
        )


def _answer(role: AccountRole, what: str, asking: Callable[[], Any], file: str) -> Any:
    try:
        return asking()
    except (ClientError, BotoCoreError) as error:
        raise UsageError(
            f"{file}: accounts.{role}: expected AWS to tell {what}, found: {told(error)}. What is not proven safe is "
            "not drilled in: check these credentials and what they may do (`drills plan --permissions` lists it). "
            "Nothing was done."
        ) from None
