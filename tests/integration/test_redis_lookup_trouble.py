"""The lookup against servers that are late, stopped, killed or not there: one deadline, then a breaker."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.store.ports import SubscriberFacts, Unavailable
from gateway.store.redis import layout
from gateway.store.redis.breaker import FAILURES_TO_OPEN
from gateway.store.redis.client import RedisLink
from gateway.store.redis.lookup import RedisLookup
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import linked, redis_process, running, until
from tests.support.redis_lookup import CALLEE, DEADLINE_S, NOW, Answer, ask, data, looking
from tests.support.redis_server import RedisServer

__all__ = ["data", "redis_process"]


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
