"""Whose a resource is, by its tag: a drill's, which may destroy what it made, or an estate's own, which never is.

``drills protect`` and ``drills restore`` tag what they make with the estate's name. What carries that tag may be
changed by them, such as a restored store whose settings are put back, but nothing that is an estate's own is destroyed.
"""

from __future__ import annotations

from drills.errors import ProtectionError
from drills.site import Site

DRILL_TAG = "drills:drill"
MANAGED_TAG = "drills:managed"


def owner_tag(site: Site) -> tuple[str, str]:
    """The tag, with its value, that everything made through this site has."""
    tag = DRILL_TAG if DRILL_TAG in site.tags else MANAGED_TAG
    return tag, site.tags[tag]


def refuse_outside_a_drill(site: Site, what: str, deed: str) -> None:
    """Raises ProtectionError unless the site is a drill's: only what a drill made for itself is ever destroyed."""
    if DRILL_TAG not in site.tags:
        raise ProtectionError(
            f"{what}: expected a drill before {deed} it, found the estate {owner_tag(site)[1]} itself. Outside "
            "of drills no store is ever destroyed: do it by other means if it is really meant."
        )
