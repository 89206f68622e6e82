#!/usr/bin/env python3
"""A TCP proxy that breaks connections: cut_proxy.py PORT_FILE TARGET_PORT STATE_FILE CUT_AT...

Forwards 127.0.0.1:<a free port, written to PORT_FILE> to 127.0.0.1:TARGET_PORT. When the bytes that clients have sent
pass one of the CUT_AT numbers, the connection that sends at that moment is reset. STATE_FILE has {"up", "down", "cuts"}
at any time, and `name:` before a number makes it one of the bytes sent to clients.
"""
import json, os, socket, struct, sys, threading

port_file, target, state_file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
marks = {"up": [], "down": []}
for word in sys.argv[4:]:
    way, _, number = word.rpartition(":")
    marks[way or "up"].append(int(number))
for numbers in marks.values():
    numbers.sort()
counts = {"up": 0, "down": 0, "cuts": 0}
lock = threading.Lock()


def save():
    with open(state_file + ".new", "w") as out:
        json.dump(counts, out)
    os.replace(state_file + ".new", state_file)


def reset(*sockets):
    for one in sockets:
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()


def pump(source, sink, way):
    buffer = bytearray(1 << 18)
    view = memoryview(buffer)
    try:
        while count := source.recv_into(buffer):
            with lock:
                counts[way] += count
                cut = bool(marks[way]) and counts[way] >= marks[way][0]
                if cut:
                    marks[way].pop(0)
                    counts["cuts"] += 1
                save()
            if cut:
                return reset(source, sink)
            sink.sendall(view[:count])
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        reset(source, sink)


listener = socket.create_server(("127.0.0.1", 0))
save()
with open(port_file + ".new", "w") as out:
    out.write(str(listener.getsockname()[1]))
os.replace(port_file + ".new", port_file)
while True:
    client, _ = listener.accept()
    try:
        server = socket.create_connection(("127.0.0.1", target))
    except OSError:
        client.close()
        continue
    for one in (client, server):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=pump, args=(client, server, "up"), daemon=True).start()
    threading.Thread(target=pump, args=(server, client, "down"), daemon=True).start()
