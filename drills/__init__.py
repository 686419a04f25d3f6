"""drills: disaster-recovery drills for AWS.

Destroys data on purpose, restores it by the path a team would really use, and proves record by record what came back.
"""

__version__ = "0.1.0"
