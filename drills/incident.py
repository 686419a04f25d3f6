"""What a scenario may do to the estate: only to what this drill made."""

from __future__ import annotations

from collections import Counter

from drills.model import Estate
from drills.plugins import lacking, load_protection
from drills.providers.interface import World
from drills.workload import StoreWorkload


class EngineIncident:
    """See drills.scenario.Incident."""

    def __init__(self, estate: Estate, world: World, workloads: list[StoreWorkload], variant: str) -> None:
        self.variant = variant
        self._estate = estate
        self._world = world
        self._workloads = {workload.site.store.name: workload for workload in workloads}
        self.damaged: Counter[str] = Counter()
        """How many records of each store were damaged."""

    def damage(self, how: str) -> None:
        for workload in self._workloads.values():
            touched = workload.kind.damage(workload.site, workload.at, how)
            self.damaged[workload.site.store.name] += touched
            workload.site.note("damage", how=how, records=touched)

    def unlock_modules(self) -> None:
        for workload in self._workloads.values():
            workload.kind.unlock(workload.site, workload.at)
            workload.site.note("unlocked")

    def delete_modules(self) -> None:
        """Every module that manages a store of the drill goes; a store that no module manages goes by itself."""
        managed = {name for module in self._estate.modules for name in module.resources if "/" not in name}
        # In the estate's order: that of a set differs from process to process.
        for name in [name for name in self._workloads if name not in managed]:
            self._delete(name)
        for module in self._estate.modules:
            if any(name in self._workloads for name in module.resources):
                # What hangs on a store goes first, as infrastructure tools delete dependants before the rest.
                for resource in sorted(module.resources, key=lambda name: "/" not in name):
                    self._delete(resource)

    def _delete(self, resource: str) -> None:
        name, _, protection = resource.partition("/")
        workload = self._workloads.get(name)
        if workload is None:
            return
        if protection:
            use = next(use for use in workload.site.store.protections if use.name == protection)
            if lacking(use.name, workload.site.capabilities):
                return
            load_protection(use.name).destroy(workload.site, use.options)
        else:
            workload.kind.destroy(workload.site, workload.at)
        workload.site.note("deleted", resource=resource)

    def take_names(self) -> None:
        for workload in self._workloads.values():
            taken = workload.kind.take_name(self._world.stranger, workload.at)
            workload.site.note("name.taken" if taken else "name.not_taken", name=workload.at.name)

    def region_outage(self) -> None:
        self._world.region_down(self._estate.accounts["production"].region)

    def account_loss(self) -> None:
        self._world.close_account("production")
