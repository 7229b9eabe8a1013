"""A simulated server answers as a real one does: the store on it keeps the rules of its port, and
each script leaves what it leaves on a real server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import redis
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from redis.exceptions import ReadOnlyError, ResponseError

from rooms.store.redis.store import RedisStore
from tests.contracts import Clock, StoreContract
from tests.rooms.store.servers import running
from tests.rooms.store.test_model import Stores
from tests.sim.loop import Process, SimLoop
from tests.sim.redis.deployments import Direct
from tests.sim.redis.lua import Compiled
from tests.sim.redis.server import Said, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rooms.store.port import Store
    from tests.rooms.store.servers import Server as RealServer


def alone(name: str = "alone") -> Server:
    loop = SimLoop()
    loop.close()  # nothing happens in it
    return Server(name, loop, Process(loop, "environment"), lambda: 0.01)


def store_on(server: Server, clock: Clock) -> RedisStore:
    return RedisStore(Direct(lambda _: server), prefix="sim:", now=clock.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestRedisStore(StoreContract):
    @pytest.fixture
    def store(self, clock: Clock) -> RedisStore:
        return store_on(alone(), clock)


def test_any_order_of_calls_is_answered_as_the_model_does() -> None:
    class OnSimulated(Stores):
        async def open(self) -> Store:
            return store_on(alone(), self.clock)

    run_state_machine_as_test(
        OnSimulated, settings=settings(max_examples=10, stateful_step_count=40, deadline=None)
    )


def plain(server: RealServer) -> redis.Redis:
    """A client that shows replies as they come."""
    client = redis.Redis(unix_socket_path=str(server.socket), protocol=2)
    client.response_callbacks.clear()
    return client


COMMANDS = [
    "HSET h a 1 b 2", "HSET h a 3", "HGET h a", "HGET h z", "HMGET h a z", "HGETALL h",
    "HEXISTS h b", "HSTRLEN h a", "HINCRBY h n 5", "HDEL h a z", "HGETALL h", "HGETALL none",
    "SADD s x y", "SADD s x", "SREM s x z", "SMEMBERS s", "SET t one NX", "SET t two NX", "GET t",
    "ZADD z 3 c", "ZADD z 1 a 2 b", "ZADD z LT 9 a", "ZADD z LT 0 b", "ZSCORE z a", "ZSCORE z y",
    "ZADD z 1700000000123 d", "ZSCORE z d", "ZRANGEBYSCORE z -inf +inf WITHSCORES",
    "ZRANGEBYSCORE z (0 3 LIMIT 0 1", "ZRANGEBYSCORE z (1 (3", "ZREMRANGEBYSCORE z -inf 0",
    "ZADD l 0 a,1 0 a,2 0 b,1", "ZRANGEBYLEX l [a, (a-", "ZRANGEBYLEX l (a,1 + LIMIT 0 1",
    "ZRANGEBYLEX l - [a,2", "ZREM l a,1", "ZREM z y", "XADD x 1-0 f 1", "XADD x 5-0 f 2",
    "XADD x 5-0 f 2", "XADD x 9-0 f 3", "XLEN x", "XRANGE x 2 +", "XRANGE x - 5 COUNT 1",
    "XRANGE x 1 9", "XRANGE x - -5", "XDEL x 5-0 7-0", "XRANGE x - +", "DEL h x none", "XLEN x",
    "HLEN",
]  # fmt: skip


def test_each_command_answers_as_a_real_server_does() -> None:
    simulated = alone()
    with running("redis") as real, plain(real) as client:
        for command in COMMANDS:
            words = command.split()
            try:
                expected = client.execute_command(*words)
            except ResponseError as error:
                expected = type(error)
            found = simulated.run([word.encode() for word in words], Said())
            assert (type(found) if isinstance(found, Exception) else found) == expected, command


SCRIPTS = [
    "return {1, 'two', {3}, false, true}",
    "return {1, nil, 3}",
    "local t = {} t[#t + 1] = 'a' t[#t + 1] = 'b' return #t .. t[2]",
    "local a, b = unpack(ARGV) return {b, a}",
    "local n = 0 for i = 1, 10, 3 do n = n + i end return n",
    "local n = 0 for i, word in ipairs(ARGV) do n = n + i if word == 'two' then break end end"
    " return n",
    "local n = 0 repeat n = n + 1 until n >= 4 return n",
    "local function twice(x) return x .. x end return twice('ab')",
    "if ARGV[9] then return 'there' elseif not ARGV[1] then return 'none' else return ARGV[1] end",
    "return {redis.call('HGET', KEYS[1], 'no') == false and 'nothing' or 'something'}",
    "return redis.call('HINCRBY', KEYS[1], 'n', 2) + tonumber('3')",
    "return string.format('%d', 7000 * 3 + math.floor(7 / 2) - math.min(4, 2))",
    "return {unpack(ARGV, 2)}",
    "return {1 == '1', 0 and 'zero is true', '' ~= false, 2 * 3 % 4}",
    "return tostring(redis.call('ZADD', KEYS[1] .. 'z', 1, 'm'))",
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_does_what_it_does_on_a_real_server(script: str, server: Any) -> None:
    expected = server.eval(script, 1, "key", "one", "two")
    simulated = alone()
    found = Compiled(script).run(simulated.call, [b"key"], [b"one", b"two"])
    assert found == expected


@pytest.fixture(scope="module")
def real() -> Iterator[Any]:
    with running("redis") as server, plain(server) as client:
        yield client


@pytest.fixture
def server(real: Any) -> Any:
    real.execute_command("FLUSHALL")
    return real


def test_what_scripts_do_not_use_is_refused() -> None:
    with pytest.raises(SyntaxError):
        Compiled("goto there")
    with pytest.raises(SyntaxError):
        Compiled('return "text"')


def test_a_replica_refuses_what_would_change_it() -> None:
    primary, replica = alone("one"), alone("two")
    replica.follow(primary)
    assert isinstance(replica.run([b"SET", b"key", b"1"], Said()), ReadOnlyError)
