"""The error tree. Every message names the thing, what was expected, what was found, and what to do next.

::

    DrillError                    exit 4   the drill itself broke
    ├── UsageError                exit 2   the command cannot be carried out as given; nothing was done
    │   └── ConfigurationError    exit 2   an estate, plan or provider file is wrong; carries file:line:col
    ├── MissingExtra              exit 2   an optional dependency is needed and not installed
    ├── ProtectionError           exit 4   a protection could not be set up, or a restore was refused
    │   └── PointUnreachable      a finding, not a crash: the recovery point cannot be reached by the responders
    ├── SimulatorError            exit 4   the simulated AWS was used in a way it cannot be
    │   ├── RealAWSRefused        a call would have left for the real AWS and was refused before it was sent
    │   └── EngineError           a database server behind simulated databases could not do what was asked
    │       └── BeyondArchive     a restore was asked for a position that the archived log does not reach
    ├── ComparisonError           exit 4   a comparison of two databases was broken off; it says nothing of either
    └── EvidenceError             exit 2   a drill's folder is incomplete or damaged; it cannot be judged
"""

from __future__ import annotations


class DrillError(Exception):
    """Root of every error that drills raises on purpose."""

    exit_code = 4


class UsageError(DrillError):
    """The command or call cannot be carried out as given. Nothing was done."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A file the user wrote is wrong. The message starts with ``file:line:col``."""

    def __init__(self, message: str, *, file: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{file}:{line}:{column}: {message}")
        self.file = file
        self.line = line
        self.column = column


class MissingExtra(UsageError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs an extra that is not installed. Run: pip install 'dr-drills[{extra}]'")


class ProtectionError(DrillError):
    """A protection could not be set up or a restore was refused."""


class PointUnreachable(ProtectionError):
    """A recovery point exists or existed, but the responders cannot reach it. Becomes a finding."""


class SimulatorError(DrillError):
    """The simulated AWS was used in a way it cannot be."""


class RealAWSRefused(SimulatorError):
    """A call would have left for the real AWS (or another endpoint) and was refused before it was sent."""


class EngineError(SimulatorError):
    """A database server behind simulated databases could not do what was asked of it."""


class BeyondArchive(EngineError):
    """A restore was asked for a position that the archived log does not reach."""


class ComparisonError(DrillError):
    """A comparison of two databases was broken off; it says nothing of either."""


class EvidenceError(UsageError):
    """A drill's folder is incomplete or damaged and cannot be judged."""
