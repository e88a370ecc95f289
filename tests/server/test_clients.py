"""A client is more than its connection."""

from nbchannels.server.clients import GRACE, Client, Clients


def test_a_reconnect_is_the_same_client_and_another_principal_is_not():
    clients = Clients()
    first = clients.arrive(Client("p", "user:ada", "page"))
    assert clients.arrive(Client("p", "user:ada", "page", label="b")) is first
    assert first.label == "b"
    assert clients.arrive(Client("p", "user:eve", "page")) is not first
    assert len(clients) == 2


def test_who_does_not_come_back_in_time_is_forgotten():
    clients = Clients()
    client = clients.arrive(Client("p", "user:ada", "page", connection=1))
    assert clients.gone(1000.0) == []
    client.connection, client.away_since = None, 1000.0
    assert clients.gone(1000.0 + GRACE - 1) == []
    assert clients.gone(1000.0 + GRACE) == [client]
    assert list(clients) == []


def test_a_description_holds_no_secret():
    client = Client("producer-id", "user:ada", "page", "Ada")
    assert "producer-id" not in str(client.describe())


def test_a_client_is_found_by_both():
    clients = Clients()
    client = clients.arrive(Client("p", "user:ada", "page"))
    assert clients.find(Client("p", "user:ada", "kernel")) is client
    assert clients.find(Client("p", "user:eve", "page")) is None
    assert clients.find(Client("q", "user:ada", "page")) is None
    clients.dismiss(client)
    clients.dismiss(client)
    assert clients.find(client) is None
