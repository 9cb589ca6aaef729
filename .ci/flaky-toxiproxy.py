"""Drives `flaky proxy` with toxiproxy's client for Python. Arguments: host and port of the admin API."""

import http.server
import sys
import threading
import time

import requests
from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

server = Toxiproxy()
server.update_api_consumer(sys.argv[1], int(sys.argv[2]))


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=service.serve_forever, daemon=True).start()
upstream = f"127.0.0.1:{service.server_port}"


def get(proxy, timeout=5):
    began = time.monotonic()
    answer = requests.get(f"http://{proxy.listen}/", timeout=timeout)
    assert answer.text == "hello", answer.text
    return time.monotonic() - began


def refused(kind, act):
    try:
        act()
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__}")


assert server.running()
server.reset()
assert b"version" in server.version()
proxy = server.create(upstream=upstream, name="web")
assert server.get_proxy("web").listen == proxy.listen and proxy.enabled
get(proxy)
refused(ProxyExists, lambda: server.create(upstream=upstream, name="web"))
again = server.populate([{"name": "web", "upstream": upstream, "listen": proxy.listen}])
assert again == [], "it is there already"

with proxy.down():
    refused(requests.exceptions.ConnectionError, lambda: get(proxy))
get(proxy)

proxy.add_toxic(type="latency", attributes={"latency": 100})
assert get(proxy) >= 0.1
assert proxy.get_toxic("latency_downstream").attributes == {"latency": 100, "jitter": 0}
refused(ProxyExists, lambda: proxy.add_toxic(type="latency"))
refused(InvalidToxic, lambda: proxy.add_toxic(type="acid"))
assert proxy.destroy_toxic("latency_downstream")
refused(NotFound, lambda: proxy.destroy_toxic("latency_downstream"))
for kind, attributes in [
    ("timeout", {"timeout": 50}),
    ("reset_peer", {"timeout": 0}),
    ("limit_data", {"bytes": 10}),
    ("down", {}),
]:
    proxy.add_toxic(type=kind, attributes=attributes)
    refused(requests.exceptions.ConnectionError, lambda: get(proxy))
    server.reset()
    get(proxy)
for kind, attributes in [
    ("bandwidth", {"rate": 1}),
    ("slicer", {"average_size": 2, "size_variation": 1, "delay": 1000}),
    ("slow_close", {"delay": 10}),
]:
    proxy.add_toxic(type=kind, stream="upstream", attributes=attributes)
    assert proxy.toxics()[f"{kind}_upstream"].stream == "upstream"
    get(proxy)
    server.reset()
assert proxy.toxics() == {}
server.destroy_all()
assert server.proxies() == {}
print("  ok  every toxic with toxiproxy-python")
