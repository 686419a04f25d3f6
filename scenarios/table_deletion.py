"""Table deletion: bad infrastructure code deletes the stores, with everything that hung on them."""

from drills.scenario import Incident, Scenario


def lead_up(incident: Incident) -> None:
    incident.unlock_modules()


def fail(incident: Incident) -> None:
    incident.delete_modules()
    if incident.variant == "name_taken":
        incident.take_names()


scenario = Scenario(
    summary="Bad infrastructure code deletes whole modules: the store itself, whatever its kind (of a database, the "
    "instance or cluster with its automated backups), and what the same module manages beside it, read replicas and "
    "copies included.",
    lead_up=lead_up,
    fail=fail,
    respond_from="production",
    variants={
        "deleted": "the stores are deleted, buckets with all their versions, databases with their automated backups",
        "name_taken": "and another account takes the name of a bucket once it is free",
    },
)
