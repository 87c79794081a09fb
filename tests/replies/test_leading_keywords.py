"""A keyword counts whatever stands around it: a name, a date, a link, a signature; unless it begins another matter."""

# ruff: noqa: E501 - a list of wordings is read best unbroken.

from __future__ import annotations

import pytest

from app.replies.classify import classify_inbound
from tests.replies.test_opt_in_alone import parts

DRESSED = """STOP Acme|Stop Acme Dental|STOP from Acme|Stop, John|Stop John|STOP -J|STOP - Jane Doe|STOP (Jane)|STOP/Jane|Stop ~ J.|STOP John Smith|stop acme
Re: STOP|RE: Stop|Fwd: STOP|FW: stop|Re: Fwd: Re: STOP|AW: STOP|Re:STOP|RE: UNSUBSCRIBE|Re: CANCEL|Re: End
STOP https://x.example|stop http://acme.example/u?x=1|STOP www.acme.example|UNSUBSCRIBE https://x.example|STOP acme.com
STOP2END|stop 2 end|STOP2STOP|STOP TO END|STOPTOEND|Stop2Quit|STOP TODAY|STOP tonight|STOP NOW!!|STOP RIGHT NOW|STOP IMMEDIATELY|STOP 11/25|STOP 11/25/2026|STOP 10:32|STOP 5551234567
DND|dnd please|stop 🛑|STOP 😡😡|🛑 STOP 🛑|stop⏎⏎Sent from my iPhone|STOP⏎Sent from my T-Mobile 5G Device|Stop - Sent with Outlook|Stop⏎Get Outlook for iOS|STOP⏎Envoyé de mon iPhone|stop⏎Enviado desde mi iPhone|Stop⏎Von meinem iPhone gesendet|Stop⏎Inviato da iPhone|STOP Sent from my iPhone
'STOP'|“STOP”|«STOP»|„Stop“|*STOP*|_STOP_|[STOP]|<STOP>|(stop)|#STOP|#stop|>>STOP<<|- STOP|-stop-|...stop|@STOP|!STOP|STOP/|STOP.STOP|stop\\
STOP⏎⏎On Mon, Nov 23, 2026 at 9:00 AM Acme wrote:⏎> Sale ends soon! Reply STOP to end|Stop⏎-----Original Message-----⏎From: Acme
STOP I am not John|stop i don't know you|Stop you have bothered me enough|STOP who is this|stop this is not his phone|stop pls im at work|STOP AND LOSE THIS ADDRESS|Stop or else
stop we never bought anything|STOP already had my roof done and don't need another one|Stop, not a customer|stop, no thank you|Stop, I'm driving|stop. wrong guy, I am Pete|stop... please...|Stop:|STOP; bye|stop = stop
UNSUBSCRIBE Acme|Unsubscribe, John|unsubscribe - Jane|unsubscribe now or else|Unsubscribe (work phone)|OPTOUT Acme|Opt out, Jane|Opt-out: John|STOPALL Acme|Stopall, thank you - Jane|REVOKE Acme|Revoke, John|revoke - Jane Doe|UNSUB Acme
CANCEL - Jane|Cancel, John|Cancel (Jane Doe)|END, John|End - Jane|Quit - J|QUIT (John)|CANCEL Acme|END Acme|Quit Acme|Remove, Jane|CANCEL⏎Jane Doe|Cancel.⏎⏎Sent from my iPhone|cancel thanks - Jane|ALTO Acme|ARRET - Jean|Abmelden, Hans|Sair - Maria|BAJA, Juan
Hi, STOP Acme|Hello please stop - Jane|pls STOP, John|ok stop Acme"""
ERRANDS = """stop by tomorrow|Stop by?|STOP BY THE STORE|Stop at 5pm works|stop in at noon|Stop over on your way|stop for gas first|stop on Elm|stop near the bank|stop before noon please
Stop the car|stop the delivery until Monday|stop a taxi|Stop my order|stop my order please|stop his card|Stop sign is down|stop light out at 5th|Stop payment on check 104|stop motion class still on?|stop loss at 45|Stop watch is broken|stop order on check 1042
Stop and shop on Elm|stop n shop|stop here please|Stop there and wait|Stop right there, the blue house|Stop is closed|Stop was moved to Oak|stop 4 on the route is closed|Stop next to the church
stop worrying, I'll be there|stop laughing lol|Stop joking|stop smoking program?|stop crying|stop kidding around|stop talking|Stop being so nice|stop thinking about it
Stop, you're making me laugh|stop it, you're too kind lol|Stop, you're killing me haha|stop you're so sweet|Stop lol that's so funny|stop what you're doing and look|stop Monday at the bank on Elm
Stop-motion animation class|stop-gap solution|nonstop|non-stop|stopping by at 5|Stopped by, nobody there|stops at Oak?|stop's closed
cancel my appointment on Friday|Cancel order 5|Cancel order|cancel Friday|Cancel Monday|CANCEL TOMORROW|cancel, sick today|Cancel 3pm|cancel the 2 o'clock|Cancel reservation|cancel both|Cancel delivery, thanks|Cancel - Friday|cancel it and rebook|Cancel appointment - Jane|cancel booking John|Cancel John's class
end of the month is fine|End date?|End time?|end result|end user|End June|end game|the end|End of story lol
quit smoking program please|quit smoking|quit my job|Quit work at 5|Quit drinking|remove onions|Remove cheese|remove 2 items|remove John's name from the order
Alto Street exit?|Alto o bajo?|baja el precio?|Baja California|parar en la esquina|cancelar cita|Cancelar pedido|Sair às 5|arret de bus|annulla ordine|salir a las 5
Re: your appointment|Re: stop by tomorrow|Fwd: end of June works|Re: cancel my appointment|dnd party at my place friday?"""


@pytest.mark.parametrize("body", parts(DRESSED))
def test_a_keyword_in_odd_dress_is_an_opt_out(body: str) -> None:
    assert classify_inbound(body).action == "opt_out"


@pytest.mark.parametrize("body", parts(ERRANDS))
def test_a_keyword_that_begins_another_matter_is_none(body: str) -> None:
    assert classify_inbound(body).action == "none"


@pytest.mark.parametrize(
    "body", ["CANCEL acme", "end acme dental", "Quit Acme please", "cancel ACME. Thanks"]
)
def test_a_keyword_of_errands_before_the_receivers_own_name_is_an_opt_out(body: str) -> None:
    assert classify_inbound(body, ("Acme Dental", "Acme")).action == "opt_out"
    assert classify_inbound("cancel acme appointment", ("Acme",)).action == "none"


@pytest.mark.parametrize(
    ("body", "keyword"),
    [("STOP Acme", "STOP"), ("Re: opt-out", "OPT-OUT"), ("Cancel, Jane", "CANCEL"), ("Unsub - J", None)],
)
def test_a_keyword_in_odd_dress_is_named(body: str, keyword: str | None) -> None:
    assert classify_inbound(body).keyword == keyword


ENOUGH = "please stop texting me"
TALK = "we were at my uncle's farm and it rained. "


@pytest.mark.parametrize("length", [1_600, 1_700, 4_000, 9_000, 12_000, 60_000])
@pytest.mark.parametrize("last", [ENOUGH, "STOP", "unsubscribe me", "take me off your list"])
def test_a_wish_at_the_end_of_a_long_body_is_understood(length: int, last: str) -> None:
    assert classify_inbound(TALK * (length // len(TALK)) + last).action == "opt_out"


def test_a_wish_anywhere_in_a_body_of_ten_thousand_characters_is_understood() -> None:
    said = TALK * 200
    for at in range(0, len(said), 1_000):
        begins = said.index(".", at) + 1 if said.find(".", at) >= 0 else len(said)
        assert classify_inbound(f"{said[:begins]} {ENOUGH}. {said[begins:]}").action == "opt_out", at


def test_a_wish_after_letters_that_fold_to_many_is_understood() -> None:
    assert (
        classify_inbound(
            "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM} " * 900 + "please stop texting me"
        ).action
        == "opt_out"
    )
