"""Aurora DB clusters: made, described, changed, stopped, deleted."""

from __future__ import annotations

from drills.simulator.rds.states import new_cluster as new_cluster
