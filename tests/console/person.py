"""A person at the console without a browser: keeps cookies, follows forms, and sees what was answered."""

from __future__ import annotations

import html
import re
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from redis import Redis

from tests.service import Answer, RunningService


class Person:
    """One browser's worth of cookies on one service."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self.cookies: dict[str, str] = {}

    def send(
        self,
        method: str,
        path: str,
        form: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request with the cookies that were given; redirects are not followed."""
        sent = {"Accept": "text/html", **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if form is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
            body = urlencode(form, doseq=True).encode()
        answer = self.service.request(method, path, body, headers=sent)
        for part in re.split(r", (?=callgate_\w+=)", answer.headers.get("set-cookie", "")):
            for name, morsel in SimpleCookie(part).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        """The page as it is."""
        return self.send("GET", path, headers=headers)

    def post(self, path: str, **form: Any) -> Answer:
        """The form, with the session's token as the page would send it."""
        return self.send("POST", path, {"csrf": self.token(), **form})

    def token(self, path: str = "/console/nowhere") -> str:
        """The form token of a page; every page of a session carries the same."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).body.decode())
        assert found, "the page has no form"
        return found[1]

    def sign_in(self, key: str, **headers: str) -> Answer:
        """As the form does it."""
        token = self.token("/console/sign-in")
        return self.send("POST", "/console/sign-in", {"key": key, "csrf": token, "next": ""}, headers)

    def reads(self, path: str) -> str:
        """The words of a page that is there, without its marks."""
        answer = self.get(path)
        assert answer.status == 200, (path, answer.status, answer.headers.get("location"))
        return words(answer)


def words(answer: Answer) -> str:
    """The text of a page as it is read, blanks as one."""
    text = re.sub(r"<[^>]+>", " ", answer.body.decode())
    return re.sub(r"\s+", " ", html.unescape(text))


def forget_attempts(service: RunningService) -> None:
    """All tests sign in from one address, and more often than one person may."""
    with Redis.from_url(service.environment["CALLGATE_REDIS_URL"]) as store:
        for key in store.scan_iter("cg:{console-*}:failed-sign-ins"):
            store.delete(key)


def signed_in(service: RunningService, key: str) -> Person:
    """A person who has signed in with the key."""
    person = Person(service)
    forget_attempts(service)
    answer = person.sign_in(key)
    assert answer.status == 303, words(answer)
    return person
