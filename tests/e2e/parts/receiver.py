#!/usr/bin/env python3
"""A receiver of webhooks: receiver.py PORT_FILE TAKEN_FILE [PLAN...]

PLAN are words for the requests in turn, repeated for ever: ok, 429 (asks for a second's wait), 500, drop (closes without an
answer), slow (answers after half a second). Bodies of requests that it took go to TAKEN_FILE, one line each."""
import http.server, itertools, os, sys, threading, time

port_file, taken_file, *words = sys.argv[1:]
plan = itertools.cycle(words or ["ok"])
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            word = next(plan)
        if word == "drop":
            self.close_connection = True
            return
        if word == "slow":
            time.sleep(0.5)
        status = int(word) if word.isdigit() else 204
        if status == 204:
            with lock, open(taken_file, "ab") as file:
                file.write(body + b"\n")
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


open(taken_file, "ab").close()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(port_file + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(port_file + ".new", port_file)
server.serve_forever()
