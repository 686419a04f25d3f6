"""How the lag is drawn: by the seed alone, and nothing overtakes what was written before it."""

from __future__ import annotations

from datetime import timedelta

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import ONE, OTHER, REGION, World


def arrivals(seed: int, moves: int) -> list[int]:
    """How many rows the replica has each quarter of a second, of one written each second; the lag is drawn.

    ``moves``: in how many steps a quarter of a second passes."""
    with SimulatedAWS(seed=seed, durations="drawn") as aws:
        world = World(aws)
        world.instance("shop")
        world.rds(region=OTHER).create_db_instance_read_replica(
            DBInstanceIdentifier="copy", SourceDBInstanceIdentifier=f"arn:aws:rds:{REGION}:{ONE}:db:shop"
        )
        world.until_available("copy", region=OTHER)
        aws.clock.run_until(world.now.replace(second=0, microsecond=0) + timedelta(minutes=2, seconds=50))
        seen: list[int] = []
        with world.connected("shop") as source, world.connected("copy", region=OTHER) as copy:
            for quarter in range(60):
                if quarter % 4 == 0:
                    source.execute("INSERT INTO t VALUES (%s)", (quarter // 4,))
                for _ in range(moves):
                    aws.clock.sleep(0.25 / moves)
                rows = [row[0] for row in copy.execute("SELECT n FROM t ORDER BY n").fetchall()]
                assert rows == list(range(len(rows)))
                seen.append(len(rows))
        return seen


def test_the_lag_is_the_seeds_however_often_the_clock_moves() -> None:
    assert arrivals(1, 1) == arrivals(1, 5) != arrivals(2, 1)
