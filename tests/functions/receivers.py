"""A local HTTP service that answers as it is told and remembers what it was asked."""

import json
import ssl
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Answers, by path, one after the other; the last one stays. An answer is a dict of the parts that matter."""

    def __init__(self):
        self.answers = {}
        self.requests = []
        self.url = ""
        self.port = 0

    def answer(self, path, *answers):
        self.answers[path] = list(answers)

    def take(self, path):
        left = self.answers.get(path, [{"status": 404}])
        return left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def receiving(tls=None):
    """Serve on loopback; `tls` is (certificate file, key file)."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.do_POST()

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            receiver.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})
            answer = receiver.take(self.path)
            time.sleep(answer.get("delay", 0))
            if answer.get("hang_up"):
                return
            content = answer.get("body", b"")
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(answer.get("status", 200))
            for name, value in answer.get("headers", {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            drip = answer.get("drip", 0)
            for start in range(0, len(data), 1 if drip else len(data) or 1):
                self.wfile.write(data[start : start + (1 if drip else len(data))])
                time.sleep(drip)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            """A client that hangs up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        context.sni_callback = lambda _socket, name, _context: receiver.requests.append({"sni": name})
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{receiver.port}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
