"""What the commands about channels begin with: the stores, the semaphore in Redis, and whose business it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from app.accounts.command_access import commander, end_with
from app.platform.environment import fail

if TYPE_CHECKING:
    from app.accounts.authenticate import Caller
    from app.capacity.channel_services import ChannelServices

T = TypeVar("T")


def act_on_channels(account: str | None, work: Callable[[ChannelServices, Caller], Awaitable[T]]) -> T:
    """Run a verb of channels as HTTP would, for the account."""
    from app.accounts.cli import with_stores

    async def whole(found: Any, database: Any) -> T:
        from app.accounts.store import installation_secret
        from app.capacity.channel_services import ChannelServices
        from app.capacity.leases.ledger import PostgresLedger
        from app.capacity.semaphore import Semaphore
        from app.platform.clocks import Clocks
        from app.platform.outcomes import Outcome
        from app.platform.redis.errors import RedisUnavailable

        async with database.begin() as connection:
            secret = await installation_secret(connection)
        # A command waits longer for Redis than a call that somebody is about to place.
        semaphore = Semaphore(
            found.redis_url, timeout_ms=1900, secret=secret, ledger=PostgresLedger(database, Clocks())
        )
        await semaphore.start()
        services = ChannelServices(
            database=database,
            rate_limiter=semaphore,
            class_limits={},
            semaphore=semaphore,
            default_capacity=found.settings.default_channel_capacity,
        )
        try:
            return await work(services, await commander(database, account))
        except Outcome as outcome:
            end_with(outcome)
        except RedisUnavailable as error:
            fail(f"redis cannot be asked ({error}); is CALLGATE_REDIS_URL right?")
        finally:
            await semaphore.close()

    return with_stores(whole)
