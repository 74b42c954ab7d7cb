"""The lookup against real servers: one write per turn, and never an answer that is not proven."""

from __future__ import annotations

import pytest

from gateway.gate.pseudonym import Pseudonymizer, PseudonymRing
from gateway.store.ports import Rekeyed, ScopedRefusal, SubscriberFacts, Unavailable
from gateway.store.redis import layout
from gateway.store.redis.lookup import LATENCY_BOUNDS, RedisLookup
from tests.support.held_key import HeldKey
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import linked, redis_process, until
from tests.support.redis_lookup import CALLEE, DEADLINE_S, NOW, Answer, ask, data, looking
from tests.support.redis_server import RedisServer

__all__ = ["data", "redis_process"]

OTHER = b"\x01another"


async def test_what_is_stored_comes_back(redis_process: RedisServer, data: Dataset) -> None:
    data.grant(CALLEE, 2, 2, NOW + 1)
    data.grant(CALLEE, 3, 2, NOW - 1)
    data.consent(CALLEE, 4, 2, b"-1699999999")
    data.refuse(OTHER)
    data.refuse(OTHER, 2)
    scoped = (ScopedRefusal("caller", "+8657112340000"), ScopedRefusal("operator", "alpha"))
    data.refuse_scoped(OTHER, *scoped)
    async with looking(redis_process) as lookup:
        assert await ask(lookup) == SubscriberFacts("live")
        assert await ask(lookup, operator=2) == SubscriberFacts("live")
        assert await ask(lookup, operator=3) == SubscriberFacts("expired")
        assert await ask(lookup, operator=4) == SubscriberFacts("revoked")
        assert await ask(lookup, operator=5) == SubscriberFacts("none")
        assert await ask(lookup, purpose=3) == SubscriberFacts("none")
        assert await ask(lookup, OTHER) == SubscriberFacts("none", True, True, scoped)
        assert await ask(lookup, OTHER, purpose=3) == SubscriberFacts("none", True, False, scoped)
        assert lookup.lookups == sum(lookup.latency_counts) == 8
        assert lookup.timeouts == lookup.invalid == lookup.unreachable == 0


async def test_a_change_counts_at_the_next_ask(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as lookup:
        assert await ask(lookup) == SubscriberFacts("live")
        data.consent(CALLEE, 1, 2, b"-5")
        assert await ask(lookup) == SubscriberFacts("revoked")
        data.grant(CALLEE, 1, 2)
        assert await ask(lookup) == SubscriberFacts("live")


async def test_one_turn_is_one_request(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as lookup:
        client = redis_process.client()
        client.config_resetstat()
        answers: list[Answer] = []
        for number in range(50):
            lookup.ask(CALLEE, 1 + number % 2, 2, NOW, answers.append)
        await until(lambda: len(answers) == 50)
        assert answers == [SubscriberFacts("live"), SubscriberFacts("none")] * 25
        counts = client.info("commandstats")
        assert counts["cmdstat_smismember"]["calls"] == 50
        assert counts["cmdstat_hmget"]["calls"] == 1 + 50, "the head is asked for once"


async def test_flushall_is_not_no_consent(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as lookup:
        assert await ask(lookup) == SubscriberFacts("live")
        redis_process.client().flushall()
        answer = await ask(lookup)
        assert isinstance(answer, Unavailable) and "no dataset in force" in str(answer)
        assert lookup.invalid == 1 and not lookup.breaker_open


@pytest.mark.parametrize("kind", ["c", "r"])
async def test_a_lost_key_of_a_bucket(redis_process: RedisServer, data: Dataset, kind: str) -> None:
    with redis_process.client() as client:
        client.delete(*client.keys(f"cg:7:{kind}:*"))
    async with looking(redis_process) as lookup:
        answer = await ask(lookup)
        assert isinstance(answer, Unavailable) and "marker" in str(answer)


async def test_one_bad_bucket_spoils_no_other(redis_process: RedisServer, data: Dataset) -> None:
    data.grant(OTHER, 1, 2)
    data.drop_bucket(CALLEE)
    async with looking(redis_process) as lookup:
        answers: list[Answer] = []
        for callee in (OTHER, CALLEE, OTHER):
            lookup.ask(callee, 1, 2, NOW, answers.append)
        await until(lambda: len(answers) == 3)
        assert answers[0] == answers[2] == SubscriberFacts("live")
        assert isinstance(answers[1], Unavailable)


async def test_a_bucket_of_another_epoch(redis_process: RedisServer, data: Dataset) -> None:
    """As a failover to a half-copied server may leave it: key of this epoch, marker of another."""
    with redis_process.client() as client:
        for key in client.keys("cg:7:c:*"):
            client.hset(key, layout.MARKER_FIELD, "6")
    async with looking(redis_process) as lookup:
        assert isinstance(await ask(lookup), Unavailable)


async def test_a_key_of_another_type(redis_process: RedisServer, data: Dataset) -> None:
    with redis_process.client() as client:
        for key in client.keys("cg:7:r:*"):
            client.set(key, "foreign")
    async with looking(redis_process) as lookup:
        answer = await ask(lookup)
        assert isinstance(answer, Unavailable) and "WRONGTYPE" in str(answer)


async def test_the_head_moves_on_and_the_lookup_with_it(redis_process: RedisServer, data: Dataset) -> None:
    """A new epoch is asked at once, within the same deadline: the old one is not trusted for a moment."""
    async with looking(redis_process) as lookup:
        assert await ask(lookup) == SubscriberFacts("live")
        following = Dataset(redis_process.client(), epoch=8, buckets=32)
        following.publish()
        following.refuse(CALLEE)
        answers: list[Answer] = []
        for _ in range(5):
            lookup.ask(CALLEE, 1, 2, NOW, answers.append)
        await until(lambda: len(answers) == 5)
        assert set(answers) == {SubscriberFacts("none", refuses_all=True)}
        assert lookup.epoch == 8 and lookup.invalid == 0 and lookup.lookups == 6


async def test_a_head_that_names_what_is_not_there(redis_process: RedisServer, data: Dataset) -> None:
    with redis_process.client() as client:
        client.hset("cg:head", "epoch", "9")
    async with looking(redis_process) as lookup:
        answer = await ask(lookup)
        assert isinstance(answer, Unavailable) and "marker" in str(answer)


async def test_an_ask_from_inside_a_reply(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as lookup:
        answers: list[Answer] = []
        lookup.ask(CALLEE, 1, 2, NOW, lambda first: lookup.ask(CALLEE, 9, 2, NOW, answers.append))
        await until(lambda: answers)
        assert answers == [SubscriberFacts("none")]


@pytest.mark.parametrize(
    ("callee", "operator", "purpose"), [(b"short", 1, 1), (CALLEE, 65_536, 1), (CALLEE, 1, 256), (CALLEE, -1, 1)]
)
async def test_what_the_layout_has_no_room_for(
    redis_process: RedisServer, callee: bytes, operator: int, purpose: int
) -> None:
    async with looking(redis_process) as lookup:
        with pytest.raises(ValueError, match="lookup of"):
            lookup.ask(callee, operator, purpose, NOW, lambda answer: None)


def test_the_histogram_has_the_bounds_of_telemetry() -> None:
    from gateway.telemetry.metrics import LOOKUP_BOUNDS

    assert LATENCY_BOUNDS == LOOKUP_BOUNDS


async def test_another_pseudonym_key_is_no_missing_consent(redis_process: RedisServer, data: Dataset) -> None:
    client = redis_process.client()
    ours, other = b"0" * 16, b"1" * 16
    async with linked(redis_process.url) as link:
        lookup = RedisLookup(link, DEADLINE_S, keys=HeldKey(ours))
        lookup.set_epoch(7, 16)
        assert await ask(lookup) == SubscriberFacts("live")  # a head that does not say
        client.hset(layout.HEAD_KEY, layout.HEAD_KEYCHECK, other)
        answer = await ask(lookup)
        assert isinstance(answer, Unavailable)
        assert (str(answer), answer.reason) == ("pseudonym key differs from the data set's", "other key")
        client.hset(layout.HEAD_KEY, layout.HEAD_KEYCHECK, ours)
        assert await ask(lookup) == SubscriberFacts("live")
        lookup.close()
    async with looking(redis_process) as unchecked:
        assert await ask(unchecked) == SubscriberFacts("live")


async def test_a_switch_to_another_key_costs_a_question_not_an_answer(
    redis_process: RedisServer, data: Dataset
) -> None:
    """Asked in the turn of the switch, before it and behind it: every question finds the callee."""
    number = "+8613800138000"
    ring = PseudonymRing([b"n" * 32, b"o" * 32])
    new, old = ring.checks
    assert ring.use(old, 7)
    data.grant(ring.hash(number), 1, 1)
    client = redis_process.client()
    client.hset(layout.HEAD_KEY, layout.HEAD_KEYCHECK, old)
    answers: list[SubscriberFacts | Unavailable] = []

    def told(answer: SubscriberFacts | Unavailable) -> None:
        if isinstance(answer, Rekeyed):
            answer.again(ring.hash(number))
        else:
            answers.append(answer)

    async with linked(redis_process.url) as link:
        lookup = RedisLookup(link, DEADLINE_S, keys=ring)
        lookup.set_epoch(7, 16)
        lookup.ask(ring.hash(number), 1, 1, 0.0, told)
        await until(lambda: len(answers) == 1)
        after = Dataset(client, 8, 16)
        after.grant(Pseudonymizer(b"n" * 32).hash(number), 1, 1)
        after.publish()
        client.hset(layout.HEAD_KEY, layout.HEAD_KEYCHECK, new)
        for _ in range(3):  # one is on its way when the key changes, one waits for the end of the turn
            lookup.ask(ring.hash(number), 1, 1, 0.0, told)
            lookup.flush()
        await until(lambda: ring.check == new)
        await until(lambda: len(answers) == 4)
        assert ring.use(old, 9) and lookup.epoch == 8, "a watch on the head was faster than a question"
        lookup.ask(ring.hash(number), 1, 1, 0.0, told)
        ring.use(new, 10)  # within the same turn
        await until(lambda: len(answers) == 5)
        assert set(answers) == {SubscriberFacts("live")}
        assert (lookup.invalid, lookup.timeouts) == (0, 0)
        lookup.close()
        assert ring.on_change == []
