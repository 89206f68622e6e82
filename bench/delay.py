#!/usr/bin/env python3
"""A TCP proxy that holds every byte back: delay.py LISTEN TARGET ONE_WAY_SECONDS. It prints nothing and ends when killed.
What is on its way is not limited, as on a fast and long line."""
import collections, socket, sys, threading, time


def pump(source, sink, delay):
    queue, ready = collections.deque(), threading.Semaphore(0)

    def send():
        while True:
            ready.acquire()
            due, data = queue.popleft()
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            try:
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
            except OSError:
                return

    threading.Thread(target=send, daemon=True).start()
    data = b"x"
    while data:
        try:
            data = source.recv(1 << 18)
        except OSError:
            data = b""
        queue.append((time.monotonic() + delay, data))
        ready.release()


def main():
    listen, target, delay = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    server = socket.create_server(("127.0.0.1", listen), backlog=64)
    while True:
        client, _ = server.accept()
        there = socket.create_connection(("127.0.0.1", target))
        for end in (client, there):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, sink in ((client, there), (there, client)):
            threading.Thread(target=pump, args=(source, sink, delay), daemon=True).start()


main()
