"""What a signal does to work that holds it, and to work that it may strike."""

import contextlib
import gc
import importlib.machinery
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import pytest

from jaxgen.cli import exit_code
from jaxgen.system import hosts, signals
from jaxgen.system.signals import Interrupted, Stopped, interruptible, stoppable, unbroken


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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


@pytest.mark.parametrize("number", signals.STOPS)
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


@pytest.mark.parametrize("number", signals.STOPS)
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


@pytest.mark.parametrize("number", signals.STOPS)
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


def test_a_signal_in_a_callback_of_a_reference_is_not_lost():
    # Kills: an exception raised in what Python calls from C and whose errors it prints and forgets.
    class Last:
        pass

    last, hook = Last(), sys.unraisablehook
    kept = weakref.ref(last, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted), interruptible():
        del last
        time.sleep(60)
    assert kept() is None and sys.unraisablehook is hook


def test_a_signal_while_a_compiled_module_is_loaded_strikes_after_it(monkeypatch):
    # Kills: an exception in the C++ of a module that is half made, such as those of jaxlib: an abort.
    import _csv  # any that is compiled

    loader, seen = importlib.machinery.ExtensionFileLoader("_csv", _csv.__file__), []

    def load(*args):
        os.kill(os.getpid(), signal.SIGTERM)
        seen.append("whole")

    monkeypatch.setattr(importlib._bootstrap, "_call_with_frames_removed", load)
    with pytest.raises(Interrupted), interruptible():
        loader.exec_module(_csv)
        time.sleep(60)
    assert seen == ["whole"]


def test_what_strikes_at_the_end_of_a_block_leaves_no_handler():
    # Kills: an exception among the handlers that are put back, after which the rest of them stays.
    before = [signal.getsignal(number) for number in signals.STOPS]
    late = signal.signal
    with stoppable() as caught:
        try:
            with pytest.MonkeyPatch.context() as patch, interruptible():
                patch.setattr(
                    signals.signal, "signal", lambda *args: (os.kill(os.getpid(), signal.SIGTERM), late(*args))
                )
        finally:
            assert caught[:1] in ([], [signal.SIGTERM])
    assert [signal.getsignal(number) for number in signals.STOPS] == before


def test_a_signal_that_became_another_error_is_told_as_one(capsys):
    # Kills: a traceback about a hash, because the signal came in a call of Python by JAX.
    def dispatch(argv):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException:
            raise ValueError("Non-hashable static arguments are not supported.") from None

    assert exit_code("jaxgen", dispatch, []) == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "jaxgen: interrupted by SIGTERM.\n"


def test_a_signal_that_is_swallowed_comes_again(monkeypatch):
    # Kills: a command that waits for ever, because a library it calls caught all there is and forgot it.
    monkeypatch.setattr(signals, "SWALLOWED", 0.1)
    with pytest.raises(Interrupted), interruptible():
        for _ in range(2):
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(60)
            except BaseException:
                os.kill(os.getpid(), 0)
            try:
                time.sleep(60)
            except BaseException:
                break
        time.sleep(60)


def test_a_signal_waits_for_what_belongs_together():
    # Kills: a seed that is reported and not on the disk.
    done = []
    with pytest.raises(Interrupted) as struck, interruptible(), unbroken():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("first")
        done.append("second")
    assert done == ["first", "second"] and struck.value.signal == signal.SIGTERM


WHOLE = """
import os, signal, sys
from jaxgen.system import signals
early = signals.for_life()
if sys.argv[1] == "before":
    os.kill(os.getpid(), signal.SIGTERM)
from jaxgen.cli import exit_code, leave
code = exit_code("jaxgen", lambda argv: print("worked"), [], early)
if sys.argv[1] == "after":
    os.kill(os.getpid(), signal.SIGTERM)
leave(code)
"""


@pytest.mark.parametrize("when, code, says", [("before", 143, ""), ("after", 0, "worked\n")])
def test_signals_before_and_after_the_work(when, code, says):
    # Kills: a death without a line while the first modules are imported, or after all is done and said.
    found = subprocess.run([sys.executable, "-c", WHOLE, when], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (code, says), found.stderr
    assert found.stderr == ("jaxgen: interrupted by SIGTERM.\n" if code else "")


def test_a_signal_in_a_finalizer_is_not_lost():
    # Kills: callbacks of the collector alone looked for.
    class Last:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted), interruptible():
        Last()
        time.sleep(60)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP])
def test_a_handler_of_the_caller_stays(number):
    # Kills: a training in a script that stops at the SIGUSR1 by which the script was to be asked something; a block in
    # a block that takes the outer one for such a handler.
    hits = []
    before = signal.signal(number, lambda *args: hits.append(args[0]))
    try:
        with stoppable() as caught:
            os.kill(os.getpid(), number)
            assert caught == [] and hits == [number]
        signal.signal(number, signal.SIG_DFL)
        with contextlib.suppress(Interrupted), interruptible(), stoppable() as caught:
            os.kill(os.getpid(), number)
        assert caught == [number]
    finally:
        signal.signal(number, before)


def test_waiting_for_others_keeps_what_is_ignored():
    # Kills: SIGHUP set to end a process that `nohup` protects, while it waits for the others; a handler left behind.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # A shell that starts the tests in the background has SIGINT ignored.
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with hosts._interruptible():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.signal(signal.SIGINT, interrupt)


def test_a_terminal_that_nohup_takes_away_stops_nothing():
    # Kills: SIGHUP answered where `nohup` set it to be ignored.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable() as caught:
            os.kill(os.getpid(), signal.SIGHUP)
            assert caught == [] and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


CLOSED = """
import os, sys, time
from jaxgen.system.signals import stoppable
terminal = os.open(sys.argv[1], os.O_RDWR)  # of a session without one: it becomes the terminal that controls it
for stream in (1, 2):
    os.dup2(terminal, stream)
with stoppable() as caught:
    print("ready", flush=True)
    while not caught:
        time.sleep(0.01)
    print("progress", file=sys.stderr, flush=True)
    open(sys.argv[2], "w").write(str(caught))
"""


def test_work_is_kept_after_its_terminal_is_closed(tmp_path):
    # Kills: SIGHUP left to its default; a line of progress to the closed terminal that ends the work by EIO.
    shown, terminal = os.openpty()
    words = [sys.executable, "-c", CLOSED, os.ttyname(terminal), str(tmp_path / "kept")]
    process = subprocess.Popen(words, start_new_session=True)
    try:
        assert os.read(shown, 100).startswith(b"ready")
        os.close(terminal)
        os.close(shown)
        assert process.wait(20) == 0
    finally:
        process.kill()
    assert (tmp_path / "kept").read_text() == f"[{int(signal.SIGHUP)}]"
