"""Region outage: every call to production's region fails; what was in flight is lost."""

from drills.scenario import Incident, Scenario


def fail(incident: Incident) -> None:
    incident.region_outage()


scenario = Scenario(
    summary="Every call to production's home region fails and what was in flight is lost; people respond from the "
    "recovery region.",
    fail=fail,
    respond_from="recovery_region",
)
