"""Signals: where nothing is lost they end at once, elsewhere they wait, and a second Ctrl-C does
not."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from shortcut.signals import SIGNALS, Stop, Stopped

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_what_goes_on_and_the_old_handlers_come_back(number: int) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(Stopped) as stopped, Stop():
        signal.raise_signal(number)
    assert stopped.value.number == number
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_deferred_it_only_leaves_word_and_the_first_counts() -> None:
    with Stop() as stop:
        with pytest.raises(Stopped), stop.deferred():  # to be obeyed inside, or at the end
            assert stop.number == 0
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
        assert stop.number == signal.SIGTERM
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)


def test_a_second_ctrl_c_is_obeyed_by_the_system() -> None:
    """Even where Python does not get to run: the process waits in the kernel here."""
    script = """
import signal, time
from shortcut.signals import Stop
with Stop() as stop, stop.deferred():
    print("ready", flush=True)
    while not stop.number:
        time.sleep(0.01)
    print("heard", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in ("ready", "heard"):
            assert process.stdout.readline() == f"{line}\n"
            process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT


def test_what_was_ignored_stays_ignored() -> None:
    """Under nohup a closed terminal is no reason to stop."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.number == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_elsewhere_than_in_the_main_thread_nobody_listens() -> None:
    caught: list[BaseException] = []

    def listen() -> None:
        try:
            with Stop():
                pass
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert caught == []
