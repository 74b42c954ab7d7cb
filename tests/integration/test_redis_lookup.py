"""The lookup against real servers: one write per turn, one deadline, and never an answer that is not proven."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.gate.pseudonym import Pseudonymizer, PseudonymRing
from gateway.store.ports import Rekeyed, ScopedRefusal, SubscriberFacts, Unavailable
from gateway.store.redis import layout
from gateway.store.redis.breaker import FAILURES_TO_OPEN
from gateway.store.redis.client import RedisLink
from gateway.store.redis.lookup import LATENCY_BOUNDS, RedisLookup
from tests.support.held_key import HeldKey
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import linked, redis_process, running, until
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]

CALLEE = b"\x80calleeX"
OTHER = b"\x01another"
NOW = 1_700_000_000.0
DEADLINE_S = 0.5
"""Longer than a busy test machine's pauses; the tests of the deadline itself set their own."""

Answer = SubscriberFacts | Unavailable


@pytest.fixture
def data(redis_process: RedisServer) -> Dataset:
    """Epoch 7, in force: one consent."""
    dataset = Dataset(redis_process.client(), epoch=7, buckets=16)
    dataset.publish()
    dataset.grant(CALLEE, 1, 2)
    return dataset


@asynccontextmanager
async def looking(server: RedisServer, deadline_s: float = DEADLINE_S) -> AsyncIterator[RedisLookup]:
    async with linked(server.url) as link:
        lookup = RedisLookup(link, deadline_s)
        lookup.set_epoch(7, 16)
        try:
            yield lookup
        finally:
            lookup.close()


async def ask(lookup: RedisLookup, callee: bytes = CALLEE, operator: int = 1, purpose: int = 2) -> Answer:
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    lookup.ask(callee, operator, purpose, NOW, answered.set_result)
    assert not answered.done()  # never from inside `ask`
    return await asyncio.wait_for(answered, 10)


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


async def test_a_stopped_server_costs_the_deadline_then_nothing(redis_process: RedisServer, data: Dataset) -> None:
    loop = asyncio.get_running_loop()
    async with looking(redis_process, 0.05) as lookup:
        redis_process.pause()
        waited: list[float] = []
        for _ in range(FAILURES_TO_OPEN):
            started = loop.time()
            answer = await ask(lookup)
            waited.append(loop.time() - started)
            assert isinstance(answer, Unavailable) and "in time" in str(answer)
        assert min(waited) >= 0.049 and sorted(waited)[1] < 0.1
        assert lookup.breaker_open and lookup.breaker_opened == 1 and lookup.timeouts == FAILURES_TO_OPEN
        answer = await ask(lookup)  # at once: not sent at all
        assert isinstance(answer, Unavailable) and "lately" in str(answer)
        assert lookup.breaker_refused == 1 and lookup.timeouts == FAILURES_TO_OPEN
        redis_process.resume()
        await until(lambda: not lookup.breaker_open)
        assert await _live_again(lookup)


async def test_the_breaker_closes_after_a_long_stop(redis_process: RedisServer, data: Dataset) -> None:
    """Long enough for the link to be cut and opened again."""
    async with looking(redis_process, 0.05) as lookup:
        redis_process.pause()
        for _ in range(FAILURES_TO_OPEN):
            await ask(lookup)
        await asyncio.sleep(1.5)
        assert lookup.breaker_open
        redis_process.resume()
        assert await _live_again(lookup)


async def test_asks_of_one_turn_expire_together_and_late_replies_change_nothing(
    redis_process: RedisServer, data: Dataset
) -> None:
    async with looking(redis_process, 0.05) as lookup:
        redis_process.pause()
        answers: list[Answer] = []
        for _ in range(3):
            lookup.ask(CALLEE, 1, 2, NOW, answers.append)
        await asyncio.sleep(0.02)
        lookup.ask(CALLEE, 1, 2, NOW, answers.append)  # a later turn, with a deadline of its own
        await until(lambda: len(answers) >= 3)
        assert len(answers) == 3 and not lookup.breaker_open
        await until(lambda: len(answers) == 4)
        redis_process.resume()
        assert await _live_again(lookup)
        assert len(answers) == 4 and all(isinstance(answer, Unavailable) for answer in answers)
        assert len({id(answer) for answer in answers}) == 4  # a new instance each


async def test_a_killed_server(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as lookup:
        redis_process.pause()
        answers: list[Answer] = []
        lookup.ask(CALLEE, 1, 2, NOW, answers.append)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        redis_process.kill()
        await until(lambda: answers)
        assert isinstance(answers[0], Unavailable)
        assert isinstance(await ask(lookup), Unavailable)
        assert lookup.unreachable == 2 and lookup.timeouts == 0 and not lookup.breaker_open
        redis_process.start()  # empty: not the dataset
        await until(lambda: redis_process.client().ping())
        answer = await _first_connected(lookup)
        assert isinstance(answer, Unavailable) and "no valid data" in str(answer)
        data.publish()
        data.grant(CALLEE, 1, 2)
        assert await _live_again(lookup)


async def _live_again(lookup: RedisLookup) -> bool:
    async with asyncio.timeout(10):
        while await ask(lookup) != SubscriberFacts("live"):  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.01)
    return True


async def _first_connected(lookup: RedisLookup) -> Answer:
    async with asyncio.timeout(10):
        while True:
            answer = await ask(lookup)
            if lookup.invalid:
                return answer
            await asyncio.sleep(0.01)


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


async def test_before_any_dataset_is_known(redis_process: RedisServer) -> None:
    async with linked(redis_process.url) as link:
        lookup = RedisLookup(link, DEADLINE_S)
        answer = await ask(lookup)
        assert isinstance(answer, Unavailable) and "no dataset epoch" in str(answer)
        assert lookup.epoch == 0 and lookup.unreachable == 1


async def test_a_failing_reply_hurts_nobody_else(redis_process: RedisServer, data: Dataset) -> None:
    loop = asyncio.get_running_loop()
    faults: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: faults.append(context))

    def fail(answer: Answer) -> None:
        raise RuntimeError("ours")

    async with looking(redis_process) as lookup:
        answers: list[Answer] = []
        lookup.ask(CALLEE, 1, 2, NOW, fail)
        lookup.ask(CALLEE, 1, 2, NOW, answers.append)
        await until(lambda: answers)
        assert answers == [SubscriberFacts("live")] and len(faults) == 1


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


async def test_close_answers_what_is_open(redis_process: RedisServer, data: Dataset) -> None:
    answers: list[Answer] = []
    async with looking(redis_process) as lookup:
        redis_process.pause()
        lookup.ask(CALLEE, 1, 2, NOW, answers.append)
        await asyncio.sleep(0.01)
    redis_process.resume()
    assert len(answers) == 1 and isinstance(answers[0], Unavailable)


async def test_the_link_may_be_down_from_the_start(redis_process: RedisServer, data: Dataset) -> None:
    link = RedisLink(redis_process.url)
    lookup = RedisLookup(link, DEADLINE_S)
    lookup.set_epoch(7, 16)
    answer = await ask(lookup)
    assert isinstance(answer, Unavailable) and "not connected yet" in str(answer)
    async with running(link):
        await until(lambda: link.connected)
        assert await ask(lookup) == SubscriberFacts("live")
    lookup.close()


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


async def test_why_it_is_unavailable(redis_process: RedisServer, data: Dataset) -> None:
    async def reason() -> str:
        answer = await ask(lookup)
        assert isinstance(answer, Unavailable)
        return answer.reason

    changes: list[bool] = []
    async with looking(redis_process, 0.05) as lookup:
        lookup.on_breaker.append(changes.append)
        redis_process.client().delete(layout.HEAD_KEY)
        assert await reason() == "no data set"
        data.publish()
        data.drop_bucket(CALLEE)
        assert await reason() == "no data set"
        redis_process.pause()
        assert [await reason() for _ in range(FAILURES_TO_OPEN)] == ["timeout"] * FAILURES_TO_OPEN
        assert await reason() == "breaker open" and changes == [True]
        redis_process.resume()
        await until(lambda: not lookup.breaker_open)
        assert changes == [True, False]
        redis_process.kill()
        await until(lambda: not lookup._link.connected)
        assert await reason() == "link down"


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
