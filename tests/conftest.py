"""Signals as an interactive shell leaves them: processes under test inherit what is ignored."""

import signal


def pytest_configure() -> None:
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) == signal.SIG_IGN:  # nohup, a script's `&`
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)
