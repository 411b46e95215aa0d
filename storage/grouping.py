"""Group commit: callers that come at the same time share one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from storage.errors import PartAway, StorageAway

T = TypeVar("T")
R = TypeVar("R")
Write = Callable[[Sequence[T]], Awaitable[Sequence[R]]]


class Grouped(Generic[T, R]):
    """Collects single items into lists for *write*, one list at a time.

    While one list is being written the next one gathers, so the group grows
    with the load and a lone caller waits for nobody. An item that *write*
    answers with an exception fails for its caller alone. Every caller of a list
    whose write fails gets that failure; none of its items was written. With
    *gather* seconds each list waits that long for more, where a transaction
    costs more than the delay; but only while *more* says of so many
    that others may come.
    """

    def __init__(
        self,
        write: Write[T, R | Exception],
        *,
        most: int = 500,
        gather: float = 0.0,
        more: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._write = write
        self._most = most
        self._gather = gather
        self._more = more
        self._all_came = asyncio.Event()
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """Hand in *item* and return what *write* answered for it.

        A caller that is cancelled leaves its item in the group: it may be
        written all the same.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if not self._more(len(self._waiting)):
            self._all_came.set()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            group = await self._next_group()
            waiting = [future for _, future in group]
            try:
                answers = await self._write([item for item, _ in group])
                if len(answers) != len(group):
                    raise RuntimeError("not one answer for each item")
            except Exception as error:  # noqa: BLE001 each caller gets it, none is left waiting
                for future in _unanswered(waiting):
                    future.set_exception(error)
            except BaseException:
                later, self._waiting = self._waiting, []
                for future in _unanswered([*waiting, *(one for _, one in later)]):
                    future.cancel()
                raise
            else:
                _answer(waiting, answers)

    async def _next_group(self) -> list[tuple[T, asyncio.Future[R]]]:
        size = len(self._waiting)
        if self._gather and size < self._most and self._more(size):
            self._all_came.clear()
            alarm = asyncio.get_running_loop().call_later(self._gather, self._all_came.set)
            await self._all_came.wait()
            alarm.cancel()
        group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        return group


def severally(write: Write[T, R | Exception]) -> Write[T, R | Exception]:
    """As *write*, but what one item cannot be written for is the failure of that item alone.

    *write* changes all or nothing. A list that it fails on is written item by
    item, each as if it had come alone. A store that is away is away for all of
    them, and what became of the list is not known: nothing is tried again.
    `PartAway` is the failure of one.
    """

    async def write_severally(items: Sequence[T]) -> Sequence[R | Exception]:
        try:
            return await write(items)
        except Exception as error:
            if _of_all(error):
                raise
            return [error] if len(items) == 1 else await _one_by_one(write, items)

    return write_severally


async def _one_by_one(
    write: Write[T, R | Exception], items: Sequence[T]
) -> Sequence[R | Exception]:
    answers: list[R | Exception] = []
    for item in items:
        try:
            answers += await write([item])
        except Exception as error:  # noqa: BLE001 its caller gets it
            if _of_all(error):  # also for those that are left: each would wait for it anew
                return [*answers, *[error] * (len(items) - len(answers))]
            answers.append(error)
    return answers


def _of_all(error: Exception) -> bool:
    return isinstance(error, StorageAway) and not isinstance(error, PartAway)


def _answer(waiting: Sequence[asyncio.Future[R]], answers: Sequence[R | Exception]) -> None:
    for future, answer in zip(waiting, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def _unanswered(waiting: Iterable[asyncio.Future[R]]) -> list[asyncio.Future[R]]:
    """Those whose caller still waits."""
    return [future for future in waiting if not future.done()]


async def both(first: Awaitable[T], second: Awaitable[R]) -> tuple[T, R]:
    """Wait for both, also where one fails; its error is raised as it is."""
    one, other = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(one, BaseException):
        raise one
    if isinstance(other, BaseException):
        raise other
    return one, other
