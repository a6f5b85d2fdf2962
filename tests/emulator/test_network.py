"""A rehearsal's network: declared names lead to loopback, every other name nowhere."""

import http.client
import socket
import ssl

import pytest

from rehearsal.emulator.network import ListenerStub, Network, TargetGroup, certificate


def groups(**healthy):
    return {name: TargetGroup(name, revision=name, healthy=well) for name, well in healthy.items()}


def get(host, port):
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        return response.status, response.read().decode().strip()
    finally:
        connection.close()


def test_a_declared_name_is_answered_by_the_target_group_that_has_the_traffic():
    network = Network()

    with network.up():
        listener = ListenerStub("listener", {"blue": 100}, groups(blue=True, green=False))
        network.serve_listener(listener, "lb.example.com", 80, None)
        before = get("lb.example.com", 80)
        listener.weights = {"green": 100}
        after = get("lb.example.com", 80)

    assert before == (200, "blue")
    assert after == (503, "green")


def test_a_tls_listener_is_trusted_under_its_own_name_and_no_other(tmp_path):
    network, made = Network(), certificate(["api.example.com"], tmp_path)
    trusting = ssl.create_default_context(cafile=str(made.trusted))

    with network.up():
        listener = ListenerStub("listener", {"blue": 100}, groups(blue=True))
        network.serve_listener(listener, "lb.example.com", 443, made.server)
        with socket.create_connection(("lb.example.com", 443), timeout=5) as raw:
            trusting.wrap_socket(raw, server_hostname="api.example.com").close()
        with (
            socket.create_connection(("lb.example.com", 443), timeout=5) as raw,
            pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'lb\.example\.com'"),
        ):
            trusting.wrap_socket(raw, server_hostname="lb.example.com")


def test_every_other_name_is_refused_and_everything_is_put_back():
    real = socket.getaddrinfo
    network = Network()

    with network.up(), pytest.raises(socket.gaierror, match="reaches loopback only"):
        get("example.org", 80)

    assert socket.getaddrinfo is real


def test_traffic_is_shared_by_weight():
    listener = ListenerStub("listener", {"green": 30, "blue": 70}, groups(blue=True, green=True))

    said = [listener.answer()[1] for _ in range(100)]

    assert (said.count("green"), said.count("blue")) == (30, 70)


def test_a_target_group_without_tasks_answers_503():
    listener = ListenerStub("listener", {"green": 100}, {"green": TargetGroup("green")})

    assert listener.answer() == (503, "no task behind this target group")
