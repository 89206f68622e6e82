#!/usr/bin/env python3
"""Runs a program on a terminal of its own and plays a script on it:

    on_terminal.py STEP... -- PROGRAM ARGUMENTS...

A STEP is "expect:TEXT" (waits until it was printed after the last one found), "send:TEXT" (with \\r and the like),
"size:ROWSxCOLUMNS", "signal:NAME". Afterwards it waits for the program's end, prints all that it said and, as the last
line, "exit CODE, terminal restored" (or "changed"). Exit code 1 when a text did not come."""
import fcntl, os, pty, select, signal, struct, sys, termios, time

LIMIT = 60
steps, program = sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
said, found = b"", 0


def set_size(text):
    rows, columns = (int(part) for part in text.split("x"))
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read_some(seconds):
    """False at the end of the program's output."""
    global said
    if not select.select([master], [], [], seconds)[0]:
        return True
    try:
        data = os.read(master, 65536)
    except OSError:
        return False
    said += data
    return bool(data)


def expect(text):
    global found
    limit = time.monotonic() + LIMIT
    while (at := said.find(text, found)) < 0:
        if time.monotonic() > limit or not read_some(0.2):
            finish(f"'{text.decode()}' did not come")
    found = at + len(text)


def finish(problem):
    os.kill(child, signal.SIGKILL)
    sys.stdout.write(said.decode(errors="replace") + f"\nFAILED: {problem}\n")
    sys.exit(1)


master, slave = pty.openpty()
set_size("24x80")
before = termios.tcgetattr(slave)
child = os.fork()
if child == 0:
    os.close(master)
    os.login_tty(slave) if hasattr(os, "login_tty") else (
        os.setsid(), fcntl.ioctl(slave, termios.TIOCSCTTY, 0), [os.dup2(slave, fd) for fd in range(3)])
    os.execvp(program[0], program)

for step in steps:
    kind, _, value = step.partition(":")
    if kind == "expect":
        expect(value.encode().decode("unicode_escape").encode())
    elif kind == "send":
        os.write(master, value.encode().decode("unicode_escape").encode())
    elif kind == "size":
        set_size(value)
        os.kill(child, signal.SIGWINCH)
    elif kind == "signal":
        os.kill(child, getattr(signal, "SIG" + value))
    else:
        finish(f"no such step: {step}")

limit = time.monotonic() + LIMIT
while True:
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        break
    if time.monotonic() > limit:
        finish("the program did not end")
    read_some(0.05)
while select.select([master], [], [], 0.2)[0] and read_some(0):
    pass
is_restored = termios.tcgetattr(slave) == before
sys.stdout.write(said.decode(errors="replace"))
print(f"\nexit {os.waitstatus_to_exitcode(status)}, terminal {'restored' if is_restored else 'changed'}")
