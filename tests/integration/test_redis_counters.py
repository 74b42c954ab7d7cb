"""The script that reads all facts and counts the attempt, against real servers: exact, once per call, and lasting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.store.ports import Counting, CountSpec, ScopedRefusal, SubscriberFacts, Unavailable
from gateway.store.redis import counters, layout
from gateway.store.redis.address import read_deployment
from gateway.store.redis.cluster import ClusterLink
from gateway.store.redis.cluster_lookup import ClusterLookup
from gateway.store.redis.lookup import RedisLookup
from gateway.store.redis.names import Names, ShardKeys, place_tags
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_dataset import Dataset
from tests.support.redis_fixtures import linked, redis_process, running, until
from tests.support.redis_server import RedisServer, binaries

__all__ = ["redis_process"]

CALLEE = bytes.fromhex("a1b2c3d4e5f60718")
NOW = 1_700_000_000.0
DAY_MS = 86_400_000
ALL = counters.CONSENT | counters.REFUSALS | counters.PURPOSE | counters.COUNT


def spec(
    *limits: int, operator: tuple[int, ...] = (), flags: int = ALL, silence: tuple[int, ...] = (0, 0, 0)
) -> CountSpec:
    """`limits`, `operator`: count and milliseconds, in turn."""
    return CountSpec(flags, (30 * DAY_MS, len(limits) // 2, len(operator) // 2, *silence, DAY_MS, *limits, *operator))


FIVE_A_DAY = spec(5, DAY_MS)


def counting(number: int, asked: CountSpec = FIVE_A_DAY) -> Counting:
    return Counting(asked, number.to_bytes(8, "big") + bytes(8))


@pytest.fixture
def data(redis_process: RedisServer) -> Iterator[Dataset]:
    with redis_process.client() as client:
        dataset = Dataset(client, epoch=7, buckets=64)
        dataset.publish()
        dataset.grant(CALLEE, 1, 2)
        dataset.grant(CALLEE, 2, 2)
        yield dataset


@asynccontextmanager
async def looking(server: RedisServer) -> AsyncIterator[RedisLookup]:
    async with linked(server.url) as link:
        lookup = RedisLookup(link, 5.0)
        lookup.set_epoch(7, 64)
        yield lookup
        lookup.close()


async def ask(
    lookup: RedisLookup | ClusterLookup, asked: Counting, operator: int = 1, now: float = NOW, callee: bytes = CALLEE
) -> SubscriberFacts:
    answered: asyncio.Future[SubscriberFacts | Unavailable] = asyncio.get_running_loop().create_future()
    lookup.ask(callee, operator, 2, now, answered.set_result, asked)
    found = await answered
    assert isinstance(found, SubscriberFacts), found
    assert found.tally is not None
    return found


async def counted(
    lookup: RedisLookup | ClusterLookup, asked: Counting, operator: int = 1, now: float = NOW, callee: bytes = CALLEE
) -> bool:
    found = await ask(lookup, asked, operator, now, callee)
    assert found.tally is not None
    return found.tally.counted


async def test_of_fifty_at_once_exactly_the_limit_passes(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as one, looking(redis_process) as two:
        found = await asyncio.gather(*[counted((one, two)[n % 2], counting(n + 1), 1 + n % 2) for n in range(50)])
        assert sum(found) == 5
        tally = (await ask(one, counting(99))).tally
        assert tally is not None
        assert (tally.counted, tally.callee_ages_ms, tally.since_ms) == (False, (0,) * 5, int(NOW * 1000))


async def test_the_limit_opens_at_its_second(redis_process: RedisServer, data: Dataset) -> None:
    limits = spec(3, 300_000, 5, DAY_MS)
    async with looking(redis_process) as lookup:
        assert [await counted(lookup, counting(n, limits), now=NOW + n) for n in range(4)] == [True, True, True, False]
        assert not await counted(lookup, counting(10, limits), now=NOW + 299.999)
        assert await counted(lookup, counting(11, limits), now=NOW + 300)
        assert not await counted(lookup, counting(12, limits), now=NOW + 300.5), "the second call is in the window yet"
        assert await counted(lookup, counting(13, limits), now=NOW + 301)
        assert not await counted(lookup, counting(14, limits), now=NOW + 86_399.9), "five in a day"
        assert await counted(lookup, counting(15, limits), now=NOW + 86_400)


async def test_operators_have_limits_of_their_own(redis_process: RedisServer, data: Dataset) -> None:
    limits = spec(10, DAY_MS, operator=(2, DAY_MS))
    async with looking(redis_process) as lookup:
        assert [await counted(lookup, counting(n, limits), 1) for n in range(3)] == [True, True, False]
        found = (await ask(lookup, counting(7, limits), 2, NOW + 1)).tally
        assert found is not None
        assert (found.counted, found.callee_ages_ms, found.operator_ages_ms) == (True, (1_000, 1_000), ())


async def test_one_call_is_counted_once_and_can_be_taken_back(redis_process: RedisServer, data: Dataset) -> None:
    two = spec(2, DAY_MS, operator=(2, DAY_MS))
    async with looking(redis_process) as lookup:
        for again in range(3):
            found = (await ask(lookup, counting(1, two), now=NOW + again)).tally
            assert found is not None and found.counted and not found.callee_ages_ms, "its callee's first"
        assert await counted(lookup, counting(2, two), now=NOW + 5)
        assert not await counted(lookup, counting(3, two), now=NOW + 5)
        with redis_process.client() as client:
            client.execute_command("CONFIG", "RESETSTAT")
        done: list[object] = []
        assert lookup._link.send(counters.release(CALLEE, 1, counting(1).decision), 1, done.append)
        await until(lambda: done)
        assert done == [[1]]
        assert await counted(lookup, counting(3, two), now=NOW + 6)
        assert not await counted(lookup, counting(4, two), now=NOW + 6)


async def test_only_calls_that_may_pass_are_counted(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as lookup:
        assert not await counted(lookup, counting(1), operator=3), "no consent"
        data.grant(CALLEE, 3, 2, NOW)
        assert not await counted(lookup, counting(1), operator=3), "expired at this second"
        data.consent(CALLEE, 3, 2, b"-5")
        assert not await counted(lookup, counting(1), operator=3), "revoked"
        assert await counted(lookup, counting(1, spec(5, DAY_MS, flags=ALL - counters.CONSENT)), operator=3)
        data.refuse(CALLEE, 2)
        assert not await counted(lookup, counting(2)), "its category"
        assert await counted(lookup, counting(2, spec(5, DAY_MS, flags=ALL - counters.REFUSALS)))
        assert await counted(lookup, replace(counting(3), purpose=False)), "of no category"
        data.refuse(CALLEE)
        assert not await counted(lookup, replace(counting(4), purpose=False)), "everything"


async def test_what_python_judges_is_counted_after_it(redis_process: RedisServer, data: Dataset) -> None:
    data.refuse_scoped(CALLEE, ScopedRefusal("all", "", "Mo-Fr 08:00-12:00"))
    async with looking(redis_process) as lookup:
        found = await ask(lookup, counting(1))
        assert found.tally is not None and not found.tally.counted and found.scoped
        assert await counted(lookup, replace(counting(1), judged=True))


async def test_silence_and_triggers(redis_process: RedisServer, data: Dataset) -> None:
    silent = spec(5, DAY_MS, flags=ALL | counters.SILENCE, silence=(60_000, 5_000, 0))
    visit = spec(5, DAY_MS, flags=ALL | counters.TRIGGER)
    async with looking(redis_process) as lookup:
        done: list[object] = []
        lookup._link.send(counters.note_result(CALLEE, 1, "declined", NOW, 60), 1, done.append)
        lookup._link.send(counters.note_result(CALLEE, 1, "busy", NOW, 60), 1, done.append)
        lookup._link.send(counters.note_result(CALLEE, 1, "busy", NOW - 9, 60), 1, done.append)
        found = (await ask(lookup, counting(1, silent), now=NOW + 59.999)).tally
        assert found is not None
        assert (found.counted, found.result_ages_ms) == (False, (59_999, 59_999, -1)), "the later of two stays"
        assert await counted(lookup, counting(1, silent), operator=2, now=NOW + 1), "another operator's call"
        assert await counted(lookup, counting(1, silent), now=NOW + 60)
        assert not await counted(lookup, counting(2, visit))
        lookup._link.send(counters.note_trigger(CALLEE, 1, NOW, 86_400), 1, done.append)
        assert not await counted(lookup, counting(3, visit), now=NOW + 86_400.001)
        found = (await ask(lookup, counting(2, visit), now=NOW + 86_400)).tally
        assert found is not None and (found.counted, found.trigger_age_ms) == (True, DAY_MS)
        assert len(done) == 4


async def test_counts_outlive_the_data_set_and_go_with_their_window(redis_process: RedisServer, data: Dataset) -> None:
    once = spec(1, DAY_MS)
    async with looking(redis_process) as lookup:
        assert await counted(lookup, counting(1, once))
        following = Dataset(redis_process.client(), epoch=8, buckets=128)
        following.publish()
        following.grant(CALLEE, 1, 2)
        assert not await counted(lookup, counting(2, once)), "a new epoch forgets nothing"
        with redis_process.client() as client:
            assert 29 * DAY_MS < client.pttl(counters.counters_key(CALLEE)) <= 30 * DAY_MS
            client.flushall()
            following.publish()
            following.grant(CALLEE, 1, 2)
        found = (await ask(lookup, counting(3, once), now=NOW + 9)).tally
        assert found is not None and (found.counted, found.since_ms) == (True, int((NOW + 9) * 1000))


async def test_a_list_is_bounded(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as lookup:
        for number in range(300):
            assert await counted(lookup, counting(number + 1, spec(100, 1)), now=NOW + number)
    with redis_process.client() as client:
        entries = client.hget(counters.counters_key(CALLEE), "a")
    assert isinstance(entries, bytes) and len(entries) == counters.MAX_ENTRIES * counters.ENTRY


async def test_old_entries_go_with_the_next_count(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as lookup:
        for number in range(5):
            await counted(lookup, counting(number + 1, spec(100, 1)), now=NOW + 10 * 86_400 * number)
    with redis_process.client() as client:
        entries = client.hget(counters.counters_key(CALLEE), "a")
    assert isinstance(entries, bytes) and len(entries) == 3 * counters.ENTRY


async def test_a_server_that_forgot_the_script_is_told_it_again(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as lookup:
        assert await counted(lookup, counting(1))
        with redis_process.client() as client:
            client.script_flush()
        assert await counted(lookup, counting(2))
        assert lookup.invalid == 0


async def test_one_round_trip_and_plain_commands_beside_it(redis_process: RedisServer, data: Dataset) -> None:
    async with looking(redis_process) as lookup:
        await counted(lookup, counting(1))
        client = redis_process.client()
        client.config_resetstat()
        answers: list[object] = []
        for number in range(4):
            lookup.ask(CALLEE, 1, 2, NOW, answers.append, counting(number + 5) if number % 2 else None)
        await until(lambda: len(answers) == 4)
        assert [getattr(answer, "tally", None) is None for answer in answers] == [True, False, True, False]
        counts = client.info("commandstats")
        assert counts["cmdstat_evalsha"]["calls"] == 2 and "cmdstat_eval" not in counts


async def test_a_lost_marker_counts_nothing(redis_process: RedisServer, data: Dataset) -> None:
    data.drop_bucket(CALLEE)
    async with looking(redis_process) as lookup:
        answers: list[object] = []
        lookup.ask(CALLEE, 1, 2, NOW, answers.append, counting(1))
        await until(lambda: answers)
        assert isinstance(answers[0], Unavailable)
    with redis_process.client() as client:
        assert not client.exists(counters.counters_key(CALLEE))


@pytest.mark.parametrize("binary", binaries()[-1:])
async def test_in_a_cluster(binary: str) -> None:
    callees = [bytes([top]) + CALLEE[1:] for top in (0x00, 0x7F, 0xFF)]
    with RedisCluster(binary) as cluster:
        _publish(cluster, callees)
        link = ClusterLink(read_deployment(cluster.url).addresses)
        lookup = ClusterLookup(link, 5.0)
        async with running(link):
            await until(lambda: len(link.links) == 3 and all(one.connected for one in link.links))
            lookup.set_epoch(7, 1024)
            for callee in callees:
                found = await asyncio.gather(*[counted(lookup, counting(n + 1), callee=callee) for n in range(20)])
                assert sum(found) == 5
            assert lookup.invalid == 0
        lookup.close()


def _publish(cluster: RedisCluster, callees: list[bytes]) -> None:
    """Consent of these, and nothing else: what is asked of no other bucket need not be there."""
    names = Names(7, 1024, clustered=True)
    for number, node in enumerate(cluster.masters):
        places = [place for place in range(1024) if place * 16 * 3 // 16_384 == number]
        with node.client() as client:
            head = ShardKeys(place_tags()[places[-1]]).head
            client.hset(head, mapping=layout.encode_head(1, 7, 1024, NOW))
            for callee in callees:
                if cluster.master_of(callee) is node:
                    bucket = names.bucket_of(callee)
                    client.hset(names.consents(bucket), layout.MARKER_FIELD, layout.marker_value(7))
                    client.hset(names.consents(bucket), layout.consent_field(callee, 1, 2), b"0")
                    client.sadd(names.refusals(bucket), layout.marker_member(7))
