"""Nothing but an opt-in lifts a STOP: a question, a refusal, a name or any further word leaves it standing."""

# ruff: noqa: E501 - a list of wordings is read best unbroken.

from __future__ import annotations

import pytest

from app.replies.classify import classify_inbound

OPT_INS = """START|start.|Start!|"START"|'start'|‘Start’|S T A R T|ＳＴＡＲＴ|unstop|UNSTOP!!|Start please|please start|START NOW|Hi, start|ok start
yes start|START 👍|Start, thanks|opt in|Opt me in|opt me back in please|resubscribe|Re-subscribe|subscribe me|sign me up|Sign me up again!
sign me back up please|add me back|start texting me again|start messaging me|resume messages|resume texts please|turn texts back on
I want to opt in|I would like to opt back in|I'd like to resubscribe|Please subscribe me to your list|START⏎⏎Sent from my iPhone
start⏎Envoyé de mon iPhone|sign me up for alerts"""
LIFT_NOTHING = """Why did you sign me up for this?|I refuse to opt in|Start?|START ?|¿Start?|start？|START؟|don't sign me up|do not sign me up
who opted in|who opted me in|when does it start|I never opted in|I didn't opt in|did I opt in?|you can't sign me up|nobody asked you to sign me up
how do I opt in|can I opt in later|no start|not start|never start|start nothing|don't start|dont start texting me|Don't start with me|start over
START STOP|stop start|STOP / START|start/stop|unstop? no|I will start a lawsuit|start the car|start time|Start date|start Monday|start Acme
where do I start|before you start texting me again ask|if you start texting me again I'll sue|why would I subscribe|you subscribe me to spam
my ex signed me up|they sign me up for everything|sign me up my foot|sign me up never|opt in my ass|opt in fee|opt in?|resubscribe? no way
resubscribe and I'll call the FCC|unable to opt in for paperless, help|🛑 start|🚫START|start ❌|START 👎|🖕 start|START 🛑|start x|start = spam
add me back and I sue|add me back?|turn texts back on at your own risk|resume messages when hell freezes|sure, sign me up lol not
start messaging somebody else|start sending refunds|START - no wait|start. no|START⏎not|Start⏎⏎Just kidding|"start" is what I never sent
I would rather die than opt in|fuck start|lol start|already start|as if I'd ever opt in|unsubscribe me, do not resubscribe me|I want to opt in to nothing
I don't want to opt in|stop, I did not opt in|start me up|Startup|restart|STARTED|starting now|Starting?"""


def parts(texts: str) -> list[str]:
    """What stands between bars and line ends; ⏎ is a line end within a message."""
    return [each.replace("⏎", "\n") for each in texts.replace("\n", "|").split("|")]


@pytest.mark.parametrize("body", parts(OPT_INS))
def test_a_body_that_is_nothing_but_an_opt_in_is_one(body: str) -> None:
    assert classify_inbound(body).action == "opt_in"


@pytest.mark.parametrize("body", parts(LIFT_NOTHING))
def test_a_body_with_anything_more_than_an_opt_in_lifts_nothing(body: str) -> None:
    assert classify_inbound(body).action != "opt_in"


def test_an_opt_in_by_keyword_names_it() -> None:
    assert [classify_inbound(body).keyword for body in ("Start!", "please unstop", "opt in")] == [
        "START",
        "UNSTOP",
        None,
    ]
