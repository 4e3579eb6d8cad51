"""Where the points of a sweep are computed: here, in processes of this machine, or elsewhere."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

from ...checks import is_whole
from ...errors import InvalidInput
from ..interrupts import listening

TRIES = 3
"""How often a point whose worker is killed is begun, in processes of this machine."""


_PATIENCE = 30.0
"""Seconds for final checkpoints."""
_UNABLE = "executor: a worker process could not start"
_GUARD = 'In a script, sweep below `if __name__ == "__main__":`, or take executor=1'


class WorkerKilled(RuntimeError):
    """A worker ended in the middle of its work, each time that it was tried."""


@contextmanager
def opened(executor: Any, count: int, home: Path) -> Iterator[Executor]:
    """The executor that `sweep` was given, as one of `concurrent.futures`.

    Args:
        executor: as `sweep` takes it.
        count: the points to compute: there are no more processes.
        home: the folder of the sweep, which workers of a cluster have to see.

    Raises:
        InvalidInput: something else, or a cluster that does not see the folder.
    """
    if isinstance(executor, Executor):
        yield executor
    elif hasattr(executor, "get_executor"):  # a Client of Dask
        from . import cluster

        cluster.check(executor, home)
        yield executor.get_executor(pure=False)
    elif executor is None or (is_whole(executor, 1) and not isinstance(executor, bool)):
        processes = min(_processors() if executor is None else int(executor), max(count, 1))
        if processes == 1:
            yield Here()
            return
        pool = Processes(processes)
        try:
            yield pool
        finally:
            pool.stop()
    else:
        raise InvalidInput(
            "executor: takes a number of processes, an executor of concurrent.futures or a Client "
            f"of Dask, got {executor!r}"
        )


class Here(Executor):
    """Computes what it is given at once, in the thread that submits."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes(ThreadPoolExecutor):
    """Processes of this machine, each fed by a thread of its own, so that one that is killed
    takes nothing but its own point with it: the point begins anew in a new process, up to
    `TRIES` times.

    They are spawned: JAX has threads, which a fork would not carry over. They end with the
    process that made them, whatever ends it.
    """

    def __init__(self, count: int):
        super().__init__(count)
        self._own = threading.local()
        self._workers: set[_Worker] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(self._away, fn, args, kwargs)

    def stop(self) -> None:
        """End what is still at work, with a final checkpoint, and forget what waits."""
        with self._lock:
            self._stopped = True
            workers = list(self._workers)
        self.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join(_PATIENCE)
            worker.process.kill()
        self.shutdown(wait=True)

    def _away(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        code = None
        for _ in range(TRIES):
            worker = self._worker()
            try:
                worker.welcome()
                answer, error = worker.ask(fn, args, kwargs)
            except (EOFError, OSError):
                code = worker.ended()
                with self._lock:
                    self._workers.discard(worker)
                if not worker.is_ready and code is not None and code > 0:
                    raise InvalidInput(f"{_UNABLE}: it {_ending(code)}. {_GUARD}") from None
                continue
            if error is not None:
                raise error
            return answer
        raise WorkerKilled(f"its worker {_ending(code)}, {TRIES} times; out of memory?")

    def _worker(self) -> _Worker:
        """This thread's process, if it is alive, or a new one."""
        worker: _Worker | None = getattr(self._own, "worker", None)
        if worker is not None and worker.process.is_alive():
            return worker
        with self._lock:
            if self._stopped:
                raise WorkerKilled("the sweep was stopped")
            try:
                worker = self._own.worker = _Worker()
            except RuntimeError as error:  # while a spawned process imports the script
                raise InvalidInput(f"{_UNABLE}. {_GUARD}") from error
            self._workers.add(worker)
        return worker


class _Worker:
    """A process that calls what it is sent, and the end of the pipe to it."""

    def __init__(self):
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.is_ready = False

    def welcome(self) -> None:
        """Wait until it can take work; EOFError if the process ends."""
        if not self.is_ready:
            self._pipe.recv()
            self.is_ready = True

    def ask(self, *call: Any) -> tuple[Any, Exception | None]:
        """The call's result and None, or None and what it raised; EOFError if the process ends."""
        self._pipe.send(call)
        return self._pipe.recv()

    def ended(self) -> int | None:
        """The exit code of a process that does not answer, negative for a signal."""
        self.process.join(10)
        self._pipe.close()
        return self.process.exitcode


def _serve(pipe: connection.Connection) -> None:
    """The life of a worker process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with listening(lambda _: None):  # SIGTERM leaves a final checkpoint
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent takes it, and ends this one
        pipe.send("ready")
        while True:
            try:
                fn, args, kwargs = pipe.recv()
            except EOFError:
                return
            try:
                answer = (fn(*args, **kwargs), None)
            except Exception as error:
                answer = (None, error)
            pipe.send(answer)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by signal {-code}"
    return f"ended with exit code {code}" if code is not None else "did not answer"


def _processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
