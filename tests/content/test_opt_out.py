"""What inbound messages mean: the keywords, the reader's own words, and what only looks like them."""

# ruff: noqa: E501 - a pattern or a list of wordings is read best unbroken.

from __future__ import annotations

import pytest

from app.replies.classify import classify_inbound


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        ("STOP", "STOP"), (" stop. ", "STOP"), ("Stop!!!", "STOP"), ("StopAll", "STOPALL"), ("stop  all", "STOP ALL"),
        ("Unsubscribe", "UNSUBSCRIBE"), ("cancel", "CANCEL"), ("END", "END"), ("quit?", "QUIT"), ("Revoke", "REVOKE"),
        ("optout", "OPTOUT"), ("Opt out", "OPT OUT"), ("OPT-OUT", "OPT-OUT"), ("remove", "REMOVE"), ("ARRET", "ARRET"),
        ("arrêt", "ARRET"), ("ｓｔｏｐ", "STOP"), ("STOP\u200b", "STOP"), ("S T O P", "STOP"), ("stop please", "STOP"),
        ("\"STOP\"", "STOP"),
    ],
)  # fmt: skip
def test_opt_out_keywords(body: str, keyword: str) -> None:
    meaning = classify_inbound(body)
    assert (meaning.action, meaning.keyword) == ("opt_out", keyword)


WISHES = """Alto|stop it|please stop texting me|no more messages|No more texts!|Stop sending me messages|take me off your list
Remove me from this list|I want to unsubscribe|do not text me again|Don't text me|don't contact me anymore|leave me alone
lose my number|I no longer wish to receive these messages|I don't want these texts|quit texting me|I revoke my consent
cease all communication|cancel my subscription|opt me out|I'd like to opt out|Please remove my number|delete my number
no me envien mas mensajes|no quiero recibir mas mensajes|arrêtez de m'envoyer des messages|Enough with the texts
STOP texting me or I'll report you|Thanks but please stop texting me. I moved.|never text this number again
I did not sign up for these messages|stop calling me|Do not call or text me|wrong number, stop|not interested, remove me
I no longer want to receive these|I don't want to hear from you|No texts|No text messages please|Text me no more
I don't want any more of this|no more|Remove number|STOP 2|I'm unsubscribing
Quiero darme de baja|Darse de baja|cancelar suscripción|desuscribirme|Detener|no mas|Remuévanme de su lista
elimina mi número|Por favor paren|Salir|Merci de ne plus me contacter|Veuillez ne plus me contacter
désabonnement|désinscription|ARRÊTER|Enlevez-moi de votre liste|supprimez mon numéro"""
OTHERS = """don't stop|Don't stop sending these, I love them|stop by tomorrow|can't stop laughing|I'll stop by at 5|Yes|C
Can you stop at the store?|please don't unsubscribe me|why did you stop texting me|cancel my appointment|The bus stop is closed
Please cancel my order|I can't stop at noon|What time does the sale end?|how do I stop the pain|remove the onions please
do I need to stop my medication|Can I text you a photo?|I will call you|When does it end?|text me when ready|the end
I don't want to cancel|Do not cancel|non-stop flight|Stop payment on check 104|End of the month works|I quit smoking
Never mind, I'll call you|Please send me more offers|keep the texts coming|I didn't get your message|don't call before 9am
no calls today, are you coming?|I don't want to get the wrong size|no more tea for me|No text arrived yet
I don't want to hear from my ex, can you reschedule|is there no more room|no message from the doctor yet
I never want to receive a late order again|salir a las 5|Detener en la esquina|no messages yet"""


@pytest.mark.parametrize("body", WISHES.replace("\n", "|").split("|"))
def test_any_reasonable_wording_is_an_opt_out_recorded_in_its_words(body: str) -> None:
    meaning = classify_inbound(body)
    assert (meaning.action, meaning.keyword, meaning.words) == ("opt_out", None, body)


@pytest.mark.parametrize("body", OTHERS.replace("\n", "|").split("|"))
def test_what_only_looks_like_an_opt_out_is_none(body: str) -> None:
    assert classify_inbound(body).action == "none"


@pytest.mark.parametrize(
    ("body", "action"),
    [
        ("START", "opt_in"),
        ("unstop.", "opt_in"),
        ("Help!", "help"),
        ("info", "help"),
        ("sign me up again", "opt_in"),
        ("help me", "help"),
    ],
)
def test_opt_in_and_help(body: str, action: str) -> None:
    assert classify_inbound(body).action == action
