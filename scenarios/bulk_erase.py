"""Bulk erase: a bug deletes or mangles records while the application keeps running."""

from drills.scenario import Incident, Scenario


def fail(incident: Incident) -> None:
    incident.damage(incident.variant)


scenario = Scenario(
    summary="A bug deletes or mangles records of every store; the application keeps writing until somebody notices.",
    fail=fail,
    respond_from="production",
    mangles_data=True,
    writes_continue=True,
    variants={
        "all": "every record is deleted",
        "filter": "a wrong filter: about half of the records are deleted",
        "prefix": "a wrong prefix: every object of one folder is deleted, and about half of what has no folders",
        "overwrite": "one attribute of every record is overwritten; objects are cut to half of their bytes",
        "versions": "every record is deleted, and every older version with it where there are any",
        "truncate": "the tables of every database are emptied by TRUNCATE; every record of other stores is deleted",
        "drop_table": "the tables of every database are dropped; every record of other stores is deleted",
    },
)
