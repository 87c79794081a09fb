"""Nobody has Callgate call where they could not: addresses, names that answer otherwise later, redirects, ports."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.webhooks.destinations import Allowed, Refused, checked_url, refuse_unless_public
from app.webhooks.guarded_network import GuardedNetwork
from app.webhooks.send_event import Sender
from tests.contract.dialler import Dialler
from tests.events.receiver import Receiver

SECRET = b"s" * 32
PING = {"id": "01990000-0000-7000-8000-000000000000", "type": "ping", "timestamp": "", "data": {}}

# An address each, and what it is.
NEVER = {
    "127.0.0.1": "loopback",
    "127.8.9.10": "loopback",
    "0.0.0.0": "this host",
    "10.1.2.3": "private",
    "172.16.0.1": "private",
    "192.168.1.1": "private",
    "169.254.169.254": "link-local, where clouds keep their keys",
    "100.64.0.1": "CGNAT",
    "192.0.0.8": "protocol assignments",
    "192.0.2.1": "documentation",
    "198.18.0.1": "benchmarks",
    "192.88.99.1": "6to4 relay",
    "224.0.0.1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "this host",
    "::1": "loopback",
    "::127.0.0.1": "IPv4 in IPv6, of old",
    "::ffff:127.0.0.1": "IPv4 in IPv6",
    "::ffff:93.184.216.34": "IPv4 in IPv6",
    "64:ff9b::7f00:1": "NAT64",
    "64:ff9b:1::7f00:1": "NAT64",
    "2001::1": "Teredo",
    "3fff::1": "documentation",
    "5f00::1": "segment routing",
    "2002:7f00:1::1": "6to4",
    "2001:db8::1": "documentation",
    "fc00::1": "private",
    "fd00:ec2::254": "private, where clouds keep their keys",
    "fe80::1": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
}
PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "2001:4860:4860::8888")


class Names:
    """A resolver of the test's own: each question gets the next answer, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def told(url: str, *answers: Sequence[str], allow: str = "") -> str | None:
    """What became of a message to a name with those addresses; None when it was taken."""
    sender = Sender(Allowed(allow), resolver=Names(*answers))
    try:
        return (await sender.tell(url, PING, 1_790_000_000, [SECRET])).error
    finally:
        await sender.close()


@pytest.mark.parametrize("address", NEVER, ids=lambda address: f"{address} ({NEVER[address]})")
async def test_an_address_that_is_not_everybodys_is_refused_as_such_and_behind_a_name(address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(Refused):
        checked_url(f"https://{literal}/hook", Allowed())
    refused = await told("https://innocent.example/hook", [address])
    assert refused is not None
    assert refused.startswith("the address must not lead to"), refused
    # One bad address among good ones is enough: who connects may take any.
    refused = await told("https://innocent.example/hook", [PUBLIC[0], address])
    assert refused is not None
    assert refused.startswith("the address must not lead to"), refused
    assert address not in refused


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_that_is_everybodys_is_not_refused(address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    assert checked_url(f"https://{literal}/hook", Allowed()).port is None


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",  # no TLS
        "ftp://hooks.example.com/",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:6379/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://user@hooks.example.com/",
        "https://user:password@hooks.example.com/",
        "https://@hooks.example.com/",
        "https://hooks.example.com/#there",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://127.0.0.0x1/",
        "https://[::1%25lo]/",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com/ a",
        "https://hooks.example.com/\r\nX: y",
        "https://ｅxample.com/",
        "https://①②⑦.⓪.⓪.①/",
        "https:///hook",
        "//hooks.example.com/",
        "hooks.example.com",
        "https://[::1",
        "https://hooks..example.com/",
        "https://" + "a" * 2041,
    ],
)
def test_an_address_that_is_not_plainly_somebodys_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        checked_url(url, Allowed())


@pytest.mark.parametrize("url", ["https://hooks.example.com", "https://hooks.example.com:8443/a?b=c"])
def test_a_plain_address_is_taken(url: str) -> None:
    assert checked_url(url, Allowed()).hostname == "hooks.example.com"


async def test_a_name_that_answers_otherwise_the_next_time_is_judged_the_next_time(
    receiver: Receiver,
) -> None:
    """At the look its address is good, at the call it is loopback: it is the call that counts, and it asks once."""
    names = Names(["127.0.0.1"])
    sender = Sender(Allowed(f"10.0.0.0/8,other.example:{receiver.port}"), resolver=names)
    url = f"http://other.example:{receiver.port}/hook"
    assert (await sender.tell(url, PING, 1_790_000_000, [SECRET])).delivered
    await sender.close()
    # Now the same name is not named, and turns from good to bad between one call and the next.
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    network = GuardedNetwork(Allowed(), names)
    refuse_unless_public(
        __import__("ipaddress").ip_address((await names("rebind.example", 443))[0]), Allowed()
    )
    with pytest.raises(Refused):
        await network.connect_tcp("rebind.example", receiver.port, 2)
    assert names.asked == 2
    assert receiver.seen[1:] == []


async def test_what_is_connected_to_is_the_address_that_was_judged(receiver: Receiver) -> None:
    """The network is named and the host is not: its one answer is used, and the name is not resolved again."""
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    sender = Sender(Allowed(f"127.0.0.0/8,hooks.example:{receiver.port}"), resolver=names)
    result = await sender.tell(f"http://hooks.example:{receiver.port}/", PING, 1_790_000_000, [SECRET])
    await sender.close()
    assert (result.delivered, names.asked) == (True, 1)
    assert receiver.sent_headers[0]["host"] == f"hooks.example:{receiver.port}"


async def test_a_redirect_is_an_error_and_is_not_followed(receiver: Receiver) -> None:
    target = Receiver()
    receiver.answering, receiver.headers = lambda _: 307, {"Location": target.url}
    error = await told(receiver.url, ["127.0.0.1"], allow="127.0.0.1")
    target.stop()
    assert error == "answered 307, and redirects are not followed"
    assert target.seen == []


async def test_no_proxy_of_the_environment_is_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await told(receiver.url, ["127.0.0.1"], allow="127.0.0.1") is None


async def test_a_certificate_that_nobody_vouches_for_is_refused(receiver: Receiver) -> None:
    error = await told(f"https://127.0.0.1:{receiver.port}/", ["127.0.0.1"], allow="127.0.0.1")
    assert error is not None
    assert "127.0.0.1" not in error


def test_what_may_be_allowed() -> None:
    allowed = Allowed("hooks.internal, 10.1.0.0/16 ,[::1]:9000,127.0.0.1:8080,fd00::/8")
    assert checked_url("http://hooks.internal:81/", allowed)
    assert checked_url("http://10.1.2.3/", allowed)
    assert checked_url("http://127.0.0.1:8080/", allowed)
    assert checked_url("http://[::1]:9000/", allowed)
    for url in (
        "http://10.2.0.1/",
        "http://127.0.0.1:8081/",
        "http://sub.hooks.internal/",
        "http://[::1]:1/",
    ):
        with pytest.raises(Refused):
            checked_url(url, allowed)
    for wrong in ("http://a.example", "a b", "10.0.0.0/99", "a:b"):
        with pytest.raises(ValueError):
            Allowed(wrong)


def test_a_webhook_that_leads_inside_is_not_taken(dialler: Dialler, receiver: Receiver) -> None:
    for url in (receiver.url, "https://192.168.0.1/", "https://[::1]/", "https://localhost/"):
        answer = dialler.put("/v1/webhooks/crm", {"url": url, "events": ["key.created"]})
        assert answer.status == 422, url
        assert answer.json()["errors"][0]["pointer"] == "/url"
    assert receiver.seen == []
