"""Cutting over: the application finds each store by the name it uses, in a Systems Manager parameter.

DynamoDB cannot rename a table and a bucket's name may be gone, so an application that is to survive its store looks
its place up. The parameter lies where people respond from: what it is needed for must not depend on what was lost.
"""

from __future__ import annotations

import json
from typing import Any

from drills.model import Finding, Location, Place
from drills.site import Site


def parameter_name(site: Site) -> str:
    """The parameter under which the application finds the store."""
    return f"/{site.name()}/location"


def cut_over(site: Site, to: Location, respond: Place) -> Finding:
    """Point the application at ``to`` and read back what it will find."""
    ssm = site.client("ssm", respond.role, respond.region)
    place = {"account": to.account, "region": to.region, "name": to.name}
    _put(site, ssm, json.dumps(place))
    site.clock.sleep(site.estate.response.cut_over_seconds)
    found = json.loads(ssm.get_parameter(Name=parameter_name(site))["Parameter"]["Value"])
    return Finding(
        check="cut_over",
        verdict="pass" if found == place else "fail",
        subject=site.store.name,
        expected=_shown(place),
        observed=_shown(found),
    )


def _put(site: Site, ssm: Any, value: str) -> None:
    """Tags can be given only when a parameter is made, and a path before this one may have made it."""
    given = {"Name": parameter_name(site), "Value": value, "Type": "String"}
    try:
        ssm.put_parameter(**given, Tags=[{"Key": key, "Value": value} for key, value in site.tags.items()])
    except ssm.exceptions.ParameterAlreadyExists:
        ssm.put_parameter(**given, Overwrite=True)


def _shown(place: dict[str, str]) -> str:
    return f"{place['name']} in account {place['account']}, {place['region']}"
