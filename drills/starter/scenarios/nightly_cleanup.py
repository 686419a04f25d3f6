"""Nightly clean-up: a scheduled job with a wrong filter deletes records that were still needed.

Yours to change. A scenario says what fails and from where people respond to it; the ways back are not its business:
after the failure every protection of every store is asked what it can still restore. `drills list` shows it by the
name of this file.
"""

from drills.scenario import Incident, Scenario


def fail(incident: Incident) -> None:
    # What an incident can do: damage("all", "filter", "prefix", "overwrite" or "versions"), delete_modules(),
    # take_names(), region_outage(), account_loss().
    incident.damage("filter")


scenario = Scenario(
    summary="A scheduled clean-up with a wrong filter deletes records still needed; nobody notices till morning.",
    fail=fail,
    # From where people respond: production, recovery_region (same account) or recovery (the clean account).
    respond_from="production",
    # A restore must go back to before the failure began.
    mangles_data=True,
    # The application keeps writing until the failure is detected.
    writes_continue=True,
)
