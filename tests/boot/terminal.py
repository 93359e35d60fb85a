# SPDX-License-Identifier: MIT
"""Keys and signals: the program can always be left, and the terminal is as before."""
import signal

from harness import boot, boot_test, check, check_equal, finish, linux


@boot_test()
def quit_key():
    with boot(linux()) as guest:
        guest.prompt(300)
        guest.send("\x01x")
        check_equal(guest.wait(), 0, "the exit status after Ctrl-A X")
        check(guest.terminal_is_sane(), "the terminal's settings were not restored")


@boot_test()
def help_key():
    with boot(linux()) as guest:
        guest.prompt(300)
        guest.send("\x01h")
        guest.expect(r"(?i)(ctrl-a|c-a)\W*x\W")
        guest.send("\n")
        guest.prompt()
        finish(guest)


@boot_test()
def monitor_key():
    with boot(linux()) as guest:
        guest.prompt(300)
        guest.send("\x01c\n")
        guest.expect(r"\((pagoda|qemu)\)")
        guest.send("\x01c")
        check_equal(guest.run("echo $((6*7))")[1].strip(), "42", "6*7 after leaving the monitor")
        guest.send("\x01c\n")
        guest.expect(r"\((pagoda|qemu)\)")
        guest.send("quit\n")
        check_equal(guest.wait(), 0, "the exit status after the monitor's quit")
        check(guest.terminal_is_sane(), "the terminal's settings were not restored")


@boot_test()
def interrupt_reaches_the_guest():
    with boot(linux()) as guest:
        guest.prompt(300)
        guest.send("sh -c 'echo r\"\"unning; sleep 1000'\n")
        guest.expect("running")
        guest.send("\x03")
        guest.prompt()
        check_equal(guest.run("echo $((6*7))")[1].strip(), "42", "6*7 after Ctrl-C")
        finish(guest)


def ended_by(number):
    with boot(linux()) as guest:
        guest.prompt(300)
        guest.signal(number)
        guest.wait()
        check(guest.terminal_is_sane(), "the terminal's settings were not restored after %s" % number.name)


@boot_test()
def terminate():
    ended_by(signal.SIGTERM)


@boot_test()
def hang_up():
    ended_by(signal.SIGHUP)
