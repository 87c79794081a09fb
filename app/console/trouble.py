"""What went wrong, as a person is told it: what, why, and what would do."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse, Response

from app.accounts.caller import refuse_nul
from app.console.templating import HEADERS, rendered
from app.console.visit import COOKIE, NotSignedIn, Visit, console_of, drop_cookie, frame_of
from app.platform.http.problems import document_of, writer_of
from app.platform.outcomes import MissingScope, Unauthorized
from app.platform.redis.errors import RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

log = logging.getLogger("callgate.console")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A page's heading and what it says under it."""

    title: str
    told: str
    remedy: str


_BY_SLUG = {
    "bad-request": ("That could not be read", "Go back, and change what is named above."),
    "validation-error": ("That cannot be used", "Go back, and change what is named above."),
    "not-found": (
        "There is nothing here",
        "It may belong to another account, or the address may have been cut short when it was copied. "
        "The search above takes a number, a decision's id, or a number's last digits.",
    ),
    "gone": (
        "Its retention has passed",
        "Decisions are kept for as long as the installation says, and then deleted.",
    ),
    "conflict": ("It has changed meanwhile", "Go back, and look at how it stands now."),
    "rate-limited": ("Too much at once", "Wait a moment, then load the page again."),
    "service-unavailable": (
        "Callgate cannot look right now",
        "Nothing is approved meanwhile, and nothing is lost. Load the page again in a few seconds; if it stays so, "
        "tell whoever runs the installation.",
    ),
    "method-not-allowed": ("That cannot be done here", "Go back to the page that you came from."),
    "payload-too-large": ("That is too much for one form", "Longer lists go through an import."),
    "unsupported-media-type": ("That could not be read", "Send the form from its page."),
}


def trouble_of(document: dict[str, Any], error: Exception, visit: Visit | None) -> Trouble:
    """The words for a problem document, which stays in the page for those who write programs."""
    if isinstance(error, MissingScope) and visit is not None:
        return Trouble(
            "Your key may not see or do this",
            f"You are signed in with the key “{visit.names.key}” of the account “{visit.names.account}”. "
            f"It lacks the scope {error.scope}.",
            _whom_to_ask(error.scope),
        )
    if document["code"] == "FORBIDDEN":
        return Trouble(
            "This was not done", document["detail"], "Go back, load the page again, and send the form anew."
        )
    title, remedy = _BY_SLUG.get(
        document["type"].rpartition("/")[2],
        (
            "Something failed in Callgate",
            "Try again. If it stays so, tell whoever runs the installation the id below.",
        ),
    )
    return Trouble(title, document["detail"], remedy)


def _whom_to_ask(scope: str) -> str:
    if scope == "operator":
        return "Ask whoever runs this installation: only keys of its first account can carry that scope."
    return (
        "Ask somebody of your account who holds a key with the scope admin, perhaps whoever gave you yours: under "
        "Keys they can make one that carries it."
    )


class ConsoleRoute(APIRoute):
    """A page's route: who is not signed in is asked to, and what goes wrong is told as a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with every exception as a page."""
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                refuse_nul(request)
                return await handle(request)
            except NotSignedIn as nobody:
                return _to_sign_in(request, nobody.why)
            except Unauthorized as ended:
                return await _signed_out(request, ended)
            except Exception as error:
                return await trouble_page(request, error)

        return shown


async def trouble_page(request: Request, error: Exception) -> Response:
    """The page of an exception, with the status that REST would answer."""
    document, _ = document_of(writer_of(request), request.scope, error)
    if document["code"] == "INTERNAL":
        log.error("the page %s failed", request.scope.get("route"), exc_info=error)
    visit = getattr(request.state, "visit", None)
    trouble = trouble_of(document, error, visit)
    context = {
        **await frame_of(request, visit),
        "title": trouble.title,
        "trouble": trouble,
        "problem": document,
    }
    return rendered("trouble.html", context, document["status"])


def _to_sign_in(request: Request, why: str) -> Response:
    if request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
        # A link in a message: SameSite=Strict keeps the cookie back until the next step is our own.
        return rendered("same_site.html", {"target": _asked(request)})
    wanted = {"next": _asked(request)} if request.method == "GET" else {}
    if why:
        wanted["ended"] = "1"
    answer = RedirectResponse("/console/sign-in?" + urlencode(wanted), 303, HEADERS)
    drop_cookie(request, answer, COOKIE)
    return answer


async def _signed_out(request: Request, ended: Unauthorized) -> Response:
    """The key is no longer good, and so is the session."""
    token = request.cookies.get(COOKIE)
    if token:
        try:
            await console_of(request).sessions.end(token)
        except RedisUnavailable:
            log.info("a session whose key has ended could not be ended: %s", ended.detail)
    answer = RedirectResponse("/console/sign-in?ended=key", 303, HEADERS)
    drop_cookie(request, answer, COOKIE)
    return answer


def _asked(request: Request) -> str:
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")
