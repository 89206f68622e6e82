#!/usr/bin/env python3
"""A web server and its clients, for tunnels.

    web.py serve PORT_FILE            serves a body made from the path: /SIZE/NAME
    web.py fetch PORT THREADS SIZE STOP_FILE
        each thread asks again and again until the file is there, then once more; prints how many answers came whole, how many were
        cut by a broken connection, and how many were wrong; exit code 1 for a wrong one, or when a thread's last did not come"""
import hashlib, http.client, http.server, os, sys, threading, time


def body_of(path):
    _, size, name = path.split("/", 2)
    seed = hashlib.sha256(name.encode()).digest()
    return (seed * (int(size) // len(seed) + 1))[:int(size)]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = body_of(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(port_file):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.request_queue_size = 128
    with open(port_file + ".new", "w") as file:
        file.write(str(server.server_port))
    os.rename(port_file + ".new", port_file)
    server.serve_forever()


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read() == body_of(path)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def fetch(port, threads, size, stop_file):
    counts = {True: 0, None: 0, False: 0}
    unfinished = []
    lock = threading.Lock()

    def work(number):
        turn = 0
        while not os.path.exists(stop_file):
            result = ask(port, f"/{size}/{number}-{turn}")
            turn += 1
            with lock:
                counts[result] += 1
            if result is None:
                time.sleep(0.05)
        limit = time.monotonic() + 60
        while ask(port, f"/{size}/{number}-last") is not True:
            if time.monotonic() > limit:
                unfinished.append(number)
                return

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"whole {counts[True]} cut {counts[None]} wrong {counts[False]} unfinished {len(unfinished)}")
    sys.exit(1 if counts[False] or unfinished else 0)


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    fetch(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
