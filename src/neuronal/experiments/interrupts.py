"""Stopping from outside: SIGINT and SIGTERM leave a final checkpoint, at whatever moment they come.

A compiled program holds the main thread for minutes, in which Python runs no handler, and an
exception thrown among JAX's threads may end in a crash. So a thread of its own hears the signal,
saves what a run has reached, and ends the process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PATIENCE = 20.0
"""Seconds for a final checkpoint: those who send SIGTERM wait about thirty."""

_saves: list[Callable[[], object]] = []
ways_on: list[str] = []
"""How to go on with what is running; the last one counts."""
stopping = threading.Event()
"""Set once the process has been told to end."""


@contextmanager
def saved_at_stop(save: Callable[[], object]) -> Iterator[None]:
    """Call `save`, from another thread, if a signal comes in the meantime."""
    _saves.append(save)
    try:
        yield
    finally:
        _saves.remove(save)


@contextmanager
def going_on(way: str) -> Iterator[None]:
    """How to go on if a signal or a full disk ends the process meanwhile."""
    ways_on.append(way)
    try:
        yield
    except OSError as error:
        error.add_note(way)
        raise
    finally:
        ways_on.pop()


@contextmanager
def listening(farewell: Callable[[str], None]) -> Iterator[None]:
    """Save and end the process if SIGINT or SIGTERM comes: exit code 130 or 143.

    A second signal ends it at once. Outside the main thread, where Python takes no handlers, this
    does nothing.

    Args:
        farewell: called with what to say, empty or why nothing could be saved, before the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hearing, told = socket.socketpair()
    told.setblocking(False)
    before = {number: signal.signal(number, _hear) for number in SIGNALS}
    wakeup = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=_listen, args=(hearing, farewell), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        told.close()
        thread.join()
        hearing.close()


def _hear(*_: object) -> None:
    """The thread hears it by the file that Python writes to; nothing is thrown here."""


def _listen(hearing: socket.socket, farewell: Callable[[str], None]) -> None:
    number = _next_signal(hearing)
    if number is None:
        return
    stopping.set()
    words: list[str] = []
    saver = threading.Thread(target=_save, args=(words,), daemon=True)
    saver.start()
    hearing.settimeout(0.05)
    until = time.monotonic() + _PATIENCE
    while saver.is_alive() and time.monotonic() < until:
        try:
            if _next_signal(hearing) is not None:
                break
        except TimeoutError:
            continue
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(_PATIENCE)
    farewell(" ".join(words))
    os._exit(128 + number)  # past handlers and destructors, which would wait for what runs


def _next_signal(hearing: socket.socket) -> int | None:
    """The next of `SIGNALS`; None where there is nothing more to hear."""
    while byte := hearing.recv(1):
        if byte[0] in SIGNALS:
            return byte[0]
    return None


def _save(words: list[str]) -> None:
    for save in reversed(list(_saves)):  # the innermost first: states before pages
        try:
            save()
        except Exception as error:
            words.append(f"the final checkpoint could not be written ({error});")
