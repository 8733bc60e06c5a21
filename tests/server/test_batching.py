"""The queue: who waits, who is refused, who is forgotten."""

import asyncio
import gc
from collections.abc import Sequence

import pytest

from shortcut.server.batching import Batcher, BusyError
from shortcut.server.limits import Limits
from shortcut.server.supervisor import WorkerLostError
from shortcut.server.tasks import Result, Task


class Slow:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.seen: list[list[bytes]] = []
        self.go = asyncio.Event()

    async def ask(self, tasks: Sequence[Task]) -> list[Result]:
        self.seen.append([bytes(task.picture) for task in tasks])  # type: ignore[arg-type]
        await self.go.wait()
        return [{"tag": task.picture} for task in tasks]


def tasks(*tags: bytes) -> list[Task]:
    return [Task("predict", tag) for tag in tags]


async def answered(batcher: Batcher, given: list[Task]) -> list[Result]:
    return await batcher.submit(given)


def test_together_in_order_and_each_its_own() -> None:
    async def talk() -> None:
        slow, sizes = Slow(), list[int]()
        batcher = Batcher(slow.ask, Limits(batch=4, company=0.01), sizes.append)
        running = asyncio.create_task(batcher.run())
        asked = [asyncio.create_task(answered(batcher, tasks(b"%d" % n))) for n in range(6)]
        await asyncio.sleep(0.05)
        slow.go.set()
        found = await asyncio.gather(*asked)
        assert [one[0]["tag"] for one in found] == [b"%d" % n for n in range(6)]
        assert [len(batch) for batch in slow.seen] == sizes == [4, 2]
        running.cancel()

    asyncio.run(talk())


def test_of_twelve_two_are_answered_where_one_may_wait() -> None:
    async def talk() -> None:
        slow = Slow()
        batcher = Batcher(slow.ask, Limits(batch=1, queue=2, company=0), lambda _: None)
        running = asyncio.create_task(batcher.run())
        first = asyncio.create_task(answered(batcher, tasks(b"first")))
        await asyncio.sleep(0.01)
        asked = [asyncio.create_task(answered(batcher, tasks(b"%d" % n))) for n in range(11)]
        await asyncio.sleep(0.01)
        slow.go.set()
        found = await asyncio.gather(first, *asked, return_exceptions=True)
        busy = [one for one in found if isinstance(one, BusyError)]
        assert len(busy) == 10 and all(one.seconds >= 1 for one in busy)
        assert batcher.waiting == 0
        running.cancel()

    asyncio.run(talk())


def test_who_left_is_not_answered() -> None:
    async def talk() -> None:
        slow = Slow()
        batcher = Batcher(slow.ask, Limits(batch=8, queue=64, company=0), lambda _: None)
        running = asyncio.create_task(batcher.run())
        first = asyncio.create_task(answered(batcher, tasks(b"first")))
        await asyncio.sleep(0.01)
        gone = [asyncio.create_task(answered(batcher, tasks(b"gone"))) for _ in range(20)]
        stays = asyncio.create_task(answered(batcher, tasks(b"stays")))
        await asyncio.sleep(0.01)
        for one in gone:
            one.cancel()
        await asyncio.sleep(0.01)
        assert batcher.waiting == 2  # their places are free
        slow.go.set()
        await asyncio.gather(first, stays)
        assert slow.seen == [[b"first"], [b"stays"]]
        running.cancel()

    asyncio.run(talk())


def test_a_lost_worker_loses_its_batch_alone() -> None:
    async def talk() -> None:
        calls = 0

        async def ask(given: Sequence[Task]) -> list[Result]:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise WorkerLostError
            return [{} for _ in given]

        batcher = Batcher(ask, Limits(batch=1, company=0), lambda _: None)
        running = asyncio.create_task(batcher.run())
        asked = [batcher.submit(tasks(b"a")), batcher.submit(tasks(b"b"))]
        first, second = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(first, WorkerLostError) and second == [{}]
        running.cancel()

    asyncio.run(talk())


def test_a_request_to_read_goes_alone_and_tells_nothing_of_pictures() -> None:
    async def talk() -> None:
        batches: list[str] = []

        async def ask(given: Sequence[Task]) -> list[Result]:
            batches.append("".join(task.kind[0] for task in given))
            return [{} for _ in given]

        counted: list[int] = []
        batcher = Batcher(ask, Limits(batch=8, company=0), counted.append)
        running = asyncio.create_task(batcher.run())
        kinds = ("predict", "predict", "read", "read", "judge", "read", "predict", "judge")
        await asyncio.gather(*(batcher.submit([Task(kind, b"")]) for kind in kinds))
        assert batches == ["pp", "r", "r", "j", "r", "pj"]
        assert counted == [2, 1, 2]
        running.cancel()

    asyncio.run(talk())


def test_who_leaves_is_nothing_to_complain_of(caplog: pytest.LogCaptureFixture) -> None:
    async def talk() -> None:
        async def ask(given: Sequence[Task]) -> list[Result]:
            await asyncio.sleep(0.05)
            return [{} for _ in given]

        batcher = Batcher(ask, Limits(company=0), lambda _: None)
        running = asyncio.create_task(batcher.run())
        for seconds in (0.0, 0.02):  # in the queue; being answered
            asked = batcher.submit(tasks(b"a", b"b"))
            await asyncio.sleep(seconds)
            asked.cancel()
            del asked
            await asyncio.sleep(0.1)
            gc.collect()
        running.cancel()

    asyncio.run(talk())
    assert caplog.text == ""


@pytest.mark.parametrize("waiting", [1, 40])
def test_room_is_checked_without_a_place(waiting: int) -> None:
    batcher = Batcher(Slow.ask, Limits(queue=waiting), lambda _: None)  # type: ignore[arg-type]
    batcher.check_room(waiting)
    with pytest.raises(BusyError):
        batcher.check_room(waiting + 1)


def test_no_picture_is_ever_written_out() -> None:
    """As text it is four times as long, and everybody waits meanwhile."""

    class Silent(bytes):
        def __repr__(self) -> str:
            raise AssertionError

    async def talk() -> None:
        slow = Slow()
        batcher = Batcher(slow.ask, Limits(company=0), lambda _: None)
        running = asyncio.create_task(batcher.run())
        slow.go.set()
        assert await batcher.submit([Task("predict", Silent(b"a"))]) == [{"tag": b"a"}]
        running.cancel()

    asyncio.run(talk())
