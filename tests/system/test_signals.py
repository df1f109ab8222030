"""What a signal does to work that holds it, and to work that it may strike."""

import gc
import os
import signal
import threading
import time

import pytest

from jaxgen.system import signals
from jaxgen.system.signals import Interrupted, Stopped, interruptible, stoppable


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_is_a_note_second_acts(monkeypatch, number):
    # Kills: a handler that stays; a second Ctrl-C that is swallowed.
    monkeypatch.setattr(signals, "ECHO", 0.0)
    hits = []
    before = signal.signal(number, lambda *args: hits.append("old handler"))
    try:
        with stoppable() as caught:
            os.kill(os.getpid(), number)
            assert caught == [number] and hits == []
            os.kill(os.getpid(), number)
            assert caught == [number] and hits == ["old handler"]
        with stoppable() as caught:
            assert caught == []
        os.kill(os.getpid(), number)
        assert len(hits) == 2
    finally:
        signal.signal(number, before)
    assert str(Stopped(signal.SIGTERM, "round 7 is saved.")) == "stopped by SIGTERM: round 7 is saved."


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_strikes_at_once_where_work_is_interruptible(number):
    # Kills: SIGTERM left to its default, which ends the process before anything is kept; a handler that stays.
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as struck, interruptible():
        os.kill(os.getpid(), number)
        raise AssertionError("went on")
    assert struck.value.signal == number and signal.getsignal(number) is before


def test_other_threads_go_without():
    said = []

    def run():
        with stoppable() as caught:
            said.append(caught)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert said == [[]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_echo_is_no_second_signal(monkeypatch, number):
    # Kills: `timeout -s TERM`, which signals the process and then its group, taken for somebody who insists.
    monkeypatch.setattr(signals, "ECHO", 3600.0)
    with stoppable() as caught:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    assert caught == [number]
    with pytest.raises(Interrupted), interruptible():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_a_collection_is_not_lost(number):
    # Kills: an exception raised in a callback of the collector, which Python prints and forgets.
    struck = []

    def callback(phase, info):
        if phase == "stop" and not struck:
            struck.append(phase)
            os.kill(os.getpid(), number)

    gc.callbacks.append(callback)
    try:
        with pytest.raises(Interrupted) as found, interruptible():
            gc.collect()
            time.sleep(60)
    finally:
        gc.callbacks.remove(callback)
    assert struck and found.value.signal == number


def test_a_signal_in_a_finalizer_is_not_lost():
    # Kills: callbacks of the collector alone looked for.
    class Last:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted), interruptible():
        Last()
        time.sleep(60)
