from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.dialogs import call_up
from tests.support.playbook import Playbook
from tests.support.sip_text import Party


@pytest.fixture
def playbook() -> Iterator[Callable[..., Playbook]]:
    """Makes playbooks; each is closed at the end of the test."""
    made: list[Playbook] = []

    def make(**settings: object) -> Playbook:
        made.append(Playbook(**settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for play in made:
        play.close()


@pytest.fixture
def play(playbook: Callable[..., Playbook]) -> Playbook:
    """A carrier with one next hop."""
    return playbook()


@pytest.fixture
def play2(playbook: Callable[..., Playbook]) -> Playbook:
    """A carrier with two next hops."""
    return playbook(hops=2)


@pytest.fixture
def caller(play: Playbook) -> Party:
    """The caller of an answered outbound call."""
    return call_up(play)[0]
