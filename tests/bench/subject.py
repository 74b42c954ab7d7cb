"""What is measured: something that passes calls from the call centre to the carrier."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench.usage import Groups

OWN = "own"
"""Groups that are not listed apart count as the subject's own."""
REDIS = "redis"
POSTGRES = "postgres"


class Subject(ABC):
    """Started with `with`, stopped whatever happens; started again as often as needed."""

    name: str = ""
    gates: bool = True
    """False for the floor, which passes everything."""
    warm_s: float = 1.0
    """Seconds of load until its work is in balance: every timer a call starts runs out at the rate calls come."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def start(self) -> None:
        """Start and wait until it takes calls."""

    @abstractmethod
    def stop(self) -> None:
        """End every process that was started."""

    @property
    @abstractmethod
    def address(self) -> tuple[str, int]:
        """Where calls are sent."""

    @abstractmethod
    def groups(self) -> Groups:
        """Its processes now, by part."""

    def describe(self) -> str:
        """Version and build, for the report."""
        return ""

    def scrape(self) -> None:  # noqa: B027 most have nothing to be scraped
        """What a monitoring system would do now and then while calls pass."""

    def settle(self, timeout_s: float) -> None:  # noqa: B027 most have nothing left
        """After the last call: wait until nothing is left to be done. Raises AssertionError after `timeout_s`."""
