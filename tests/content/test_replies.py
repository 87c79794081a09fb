"""Replies of many languages, mistyped, threatening or asking; and what only looks like them."""

# ruff: noqa: E501 - a list of wordings is read best unbroken.

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from app.platform.files.broken_file import BrokenRuleFile
from app.replies import classify
from app.replies.classify import classify_inbound
from app.replies.wording_files import KEYWORDS_FILE, WORDINGS_FILE, load_keywords, load_wordings

WISHES = """STPO|unsubscibe|cancle|remvoe|optuot|st0p|STOOOP|quiiit|pls stop txting me|stop callin me|quit textng me|unsubscrbe me
Could you please stop?|will you stop texting me|would you guys stop already|I told you to stop|we have asked you to stop twice|how often do I have to say stop
Call me again and I'll sue|If you text me again I am calling my attorney|one more message and I go to the FCC|this is harassment|that is a TCPA violation
you'll be hearing from my lawyer|my consent is withdrawn|cancel all messages|stop all future calls|wrong #|Wrong number, sorry|you have the wrong person
this phone doesn't belong to him|nobody here by that name|get me off this list|I'm on the do not call registry|🛑|⛔⛔|🚫
TD|stop marketing|Stop promos|STOP ALL|detener marketing|Alto todo|Deja de escribirme|número equivocado|dejen de llamarme|ya no quiero mensajes|Déjenme en paz|Me dan de baja
mauvais numéro|merci de me désabonner|ne m'appelez plus|laissez-moi tranquille|je ne souhaite plus recevoir vos SMS|Arrête!
Abmelden|Bitte keine Nachrichten mehr|Löschen Sie meine Nummer|Lassen Sie mich in Ruhe|falsche Nummer|Hören Sie auf damit
Sair|pare de me ligar|não me mandem mais nada|número errado|quero sair da lista|remova meu telefone|não quero mais receber
annulla|non scrivetemi più|cancellatemi|numero sbagliato|smettetela|afmelden|geen sms meer|verkeerd nummer|verwijder mijn nummer
rezygnuję|proszę nie dzwonić|to pomyłka|iptal|beni listeden çıkarın|berhenti|jangan kirim SMS lagi|salah sambung|itigil niyo na|huwag na kayong mag text
avsluta|sluta ringa|стоп|не звоните больше|удалите мой номер|قف|لا ترسلوا|رقم خاطئ|बंद करो|मैसेज मत भेजो|band karo|call mat karo
停止|退订|别再发了|打错了|配信停止|送らないでください|수신거부|문자 보내지 마세요|dừng|đừng gửi nữa|หยุด|ยกเลิก|διακοπή|הסר"""
OTHERS = """shop|step|spot|top|quite|quiet|cancer|stoop|the end|enough room for two?
Can you stop by at six?|could you stop at the bank|the doctor told me to stop running|who told you to stop deliveries?
please text me again when it is ready|next text please send the address|can my attorney call you|I want to file a complaint about the food
I dialed the wrong number earlier|I gave you the wrong number for my house|is this the wrong number for billing?|wrong size|you sent the wrong one
Do not contact my wife, contact me|Don't call my office, call my cell|Remove me from Friday's shift|the unsubscribe link is broken|I didn't ask to opt out
para el martes|quiero salir más tarde|no quiero esa hora|puedo cancelar la cita|não quero esse horário|quero cancelar minha consulta
je veux annuler mon rendez-vous|ich möchte den Termin absagen|予約を取り消したい|取消明天的预约|Отмените запись на завтра|đúng|acha|red"""


@pytest.mark.parametrize("body", WISHES.replace("\n", "|").split("|"))
def test_a_wish_to_be_left_alone_is_understood(body: str) -> None:
    assert classify_inbound(body).action == "opt_out"


@pytest.mark.parametrize("body", OTHERS.replace("\n", "|").split("|"))
def test_what_is_none_is_not_taken_for_one(body: str) -> None:
    assert classify_inbound(body).action != "opt_out"


@pytest.mark.parametrize(
    "spoken",
    [
        "um yeah hi please stop calling me thanks",
        "i would like you to take me off your list please and thank you",
        "look i told you people to stop calling so do not call here again",
    ],
)
def test_a_transcript_of_speech_is_understood_alike(spoken: str) -> None:
    assert classify_inbound(spoken).action == "opt_out"


def test_of_a_long_transcript_the_words_that_ask_are_kept() -> None:
    spoken = f"{'well my uncle had a farm. ' * 10}Please stop calling me. Goodbye."
    assert classify_inbound(spoken).words == "Please stop calling me"


def test_a_wish_that_names_a_part_is_taken_for_all_and_recorded_as_said() -> None:
    meaning = classify_inbound("Stop marketing")
    assert (meaning.action, meaning.keyword, meaning.words) == ("opt_out", None, "Stop marketing")


def test_the_version_of_what_was_understood_changes_with_the_files() -> None:
    for path in (KEYWORDS_FILE, WORDINGS_FILE):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        assert data["version"]
        assert data["source"]
    assert len(classify.VERSION) == 12


def test_a_broken_file_of_wordings_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "wordings.toml"
    broken.write_text('version = "2026.11.1"\n', encoding="utf-8")
    with pytest.raises(BrokenRuleFile, match="its source"):
        load_wordings(broken)
    broken.write_text("version = ", encoding="utf-8")
    with pytest.raises(BrokenRuleFile, match="not TOML"):
        load_keywords(broken)
    broken.write_text(
        'version = "2026.11.1"\nsource = "s"\nwords = {}\n[[wordings]]\nmeans = "none"\npatterns = ["("]\n',
        encoding="utf-8",
    )
    with pytest.raises(BrokenRuleFile, match="no pattern"):
        load_wordings(broken)
