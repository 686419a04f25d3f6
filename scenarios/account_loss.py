"""Account loss: production is closed, and its keys and native recovery points with it."""

from drills.scenario import Incident, Scenario


def fail(incident: Incident) -> None:
    incident.account_loss()


scenario = Scenario(
    summary="The production account is closed with everything in it; people respond from the vault and recovery "
    "accounts, with those accounts' credentials only.",
    fail=fail,
    respond_from="recovery",
)
