"""Sessions in Redis: what a cookie stands for, until it ends by itself.

Neither the cookie's token nor an API key is kept: the name holds the token's digest, the value the key's, and no one
signs in with either.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.platform.redis.lua_script import Script
from app.platform.redis.router import RedisRouter

_FOLDER = Path(__file__).parent / "lua"
_OPEN = Script(_FOLDER, "session_open.lua")
_READ = Script(_FOLDER, "session_read.lua")
_END = Script(_FOLDER, "session_end.lua")
_TAKE = Script(_FOLDER, "departure_take.lua")
_FAILED = Script(_FOLDER, "failed_sign_ins.lua")
LASTS = timedelta(hours=12)
# Of one address, and of one beginning of a key from all addresses together; then it waits, a good key as well.
MOST_FAILURES, FAILURES_LAST = 20, timedelta(minutes=10)
# A key's first characters name it, and are far too few to sign in with.
_NAMES_A_KEY = 11
# Who has signed in from an address is known there: the failures of others keep nobody out who was there before.
KNOWN_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Session:
    """Who holds ``token`` acts as the key with that hash."""

    token: str
    key_hash: bytes

    @property
    def form_token(self) -> str:
        """What every form of the session carries, and no other site can know."""
        return hmac.digest(self.token.encode(), b"form", "sha256").hex()[:32]


class Sessions:
    """Of one process; all processes see the same."""

    def __init__(self, router: RedisRouter) -> None:
        self._router = router

    async def open(self, key_hash: bytes) -> Session:
        """A new session of the key. Raises RedisUnavailable."""
        session = Session(secrets.token_urlsafe(32), key_hash)
        lasts_ms = str(int(LASTS.total_seconds() * 1000))
        await self._call(_OPEN, session.token, key_hash.hex(), lasts_ms)
        return session

    async def read(self, token: str) -> Session | None:
        """The session of the token, None when it has ended. Raises RedisUnavailable."""
        (kept,) = await self._call(_READ, token)
        return Session(token, bytes.fromhex(kept)) if kept != "-" else None

    async def end(self, token: str) -> None:
        """End the session in every process. Raises RedisUnavailable."""
        await self._call(_END, token)

    async def must_wait(self, address: str, key: str, key_hash: bytes) -> timedelta | None:
        """How long a try of this key from this address has to wait, None while it need not.

        It waits when too many from the address have failed, whatever their keys, or too many of keys that begin like
        this one, wherever they came from. What begins like it binds an address only that has failed itself, so that
        who has seen the beginning of somebody's key keeps nobody out; and neither binds the key that has signed in
        from that address before. Raises RedisUnavailable.
        """
        here, left = await self._failures(address)
        wait = left if here >= MOST_FAILURES else None
        if here and wait is None:
            alike, left = await self._failures(_beginning(key))
            wait = left if alike >= MOST_FAILURES else None
        if wait is None:
            return None
        known = await self._call(_READ, _known(address, key_hash), kind="known")
        return wait if known == ["-"] else None

    async def failed(self, address: str, key: str) -> None:
        """Count a try that failed. Raises RedisUnavailable."""
        await self._failures(address, 1)
        if key:
            await self._failures(_beginning(key), 1)

    async def succeeded(self, address: str, key_hash: bytes) -> None:
        """From now on the key is known at the address. Raises RedisUnavailable."""
        lasts_ms = str(int(KNOWN_FOR.total_seconds() * 1000))
        await self._call(_OPEN, _known(address, key_hash), "1", lasts_ms, kind="known")

    async def _failures(self, whose: str, more: int = 0) -> tuple[int, timedelta]:
        name = hashlib.sha256(whose.encode("utf-8", "surrogatepass")).hexdigest()[:40]
        key = f"cg:{{console-{name}}}:failed-sign-ins"
        arguments = [str(more), str(int(FAILURES_LAST.total_seconds() * 1000))]
        count, left_ms = await self._router.call(_FAILED, [key], arguments, self._router.deadline())
        return int(count), timedelta(milliseconds=int(left_ms))

    async def keep_departure(self, state: str, kept: str, *, seconds: int) -> None:
        """Keep what the way back from the issuer is held against. Raises RedisUnavailable."""
        await self._call(_OPEN, state, kept, str(seconds * 1000), kind="departure")

    async def take_departure(self, state: str) -> str | None:
        """What was kept, this once; None when it was taken or is too old. Raises RedisUnavailable."""
        (kept,) = await self._call(_TAKE, state, kind="departure")
        return kept if kept != "-" else None

    async def _call(self, script: Script, token: str, *arguments: str, kind: str = "session") -> list[str]:
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:40]
        key = f"cg:{{console-{digest}}}:{kind}"
        return await self._router.call(script, [key], arguments, self._router.deadline())


def _beginning(key: str) -> str:
    return "key " + key[:_NAMES_A_KEY]


def _known(address: str, key_hash: bytes) -> str:
    return f"{address} {key_hash.hex()}"
