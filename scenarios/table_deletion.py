"""Table deletion: bad infrastructure code deletes the stores, with everything that hung on them."""

from drills.scenario import Incident, Scenario


def fail(incident: Incident) -> None:
    incident.delete_modules()


scenario = Scenario(
    summary="Bad infrastructure code deletes whole modules: the store itself, whatever its kind, and what the same "
    "module manages beside it, replicas and copies included.",
    fail=fail,
    respond_from="production",
)
