"""POST /connectors/dnc-scrub, read as VICIdial's script reads it: by line, in order, whatever the status.

`make test-vicidial` runs the script itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from tests.contract.dialler import Dialler
from tests.service import Answer, RunningService

SCRUB = "/connectors/dnc-scrub"
SEPARATOR = "------------------------d74496d66958873e"


def multipart(**fields: str) -> bytes:
    """The form as libcurl writes it."""
    parts = [
        f'--{SEPARATOR}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return ("".join(parts) + f"--{SEPARATOR}--\r\n").encode()


def scrub(dialler: Dialler, numbers: list[str], path: str = SCRUB, **options: float) -> Answer:
    body = multipart(loginId="l", version="3", projId="p", campaignId="c", phoneList=",".join(numbers))
    headers = {"Content-Type": f"multipart/form-data; boundary={SEPARATOR}"}
    return dialler.post(path, body, headers=headers, **options)


def codes_by_script(answer: Answer, leads: list[str]) -> dict[str, str]:
    """What AST_DNCcom_filter.pl makes of it: it stops at a line that is not the lead of its place."""
    found: dict[str, str] = {}
    for place, line in enumerate(answer.body.decode().split("\n")[:-1]):
        number, code = line.split(",")[:2] if "," in line else (line, "")
        if place >= len(leads) or number != leads[place]:
            return found
        found[number] = code
    return found


def test_each_number_gets_its_code_in_its_place(dialler: Dialler, operator: Dialler) -> None:
    name = f"scrub{time.time_ns()}"
    operator.put(f"/v1/registries/{name}", {"kind": "custom"})
    loaded = operator.post(
        f"/v1/registries/{name}/versions", b"+14155550161\n", headers={"Content-Type": "text/plain"}
    )
    assert loaded.status == 202, loaded.body
    job = loaded.json()
    while job["status"] == "running":
        time.sleep(0.02)
        job = operator.get(f"/v1/registries/{name}/jobs/{job['id']}").json()
    dialler.post("/v1/suppressions", {"number": "+14155550160"})
    leads = [
        "4155550162",
        "4155550160",
        "4155550161",
        "1115550100",
        "415555016",
        "4155550162",
        "+14155550162",
    ]
    answer = scrub(dialler, leads)
    operator.delete(f"/v1/registries/{name}")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    lines = answer.body.decode().splitlines()
    assert lines == [
        "4155550162,C", "4155550160,P", "4155550161,D", "1115550100,I", "415555016,M", "4155550162,C",
        "+14155550162,M",
    ]  # fmt: skip
    assert dialler.get("/v1/intents").json()["items"] == []
    assert dialler.get("/v1/pools/default").json()["in_use"] == 0


def test_where_a_state_s_list_is_missing_nobody_is_said_to_have_asked(dialler: Dialler) -> None:
    dialler.put("/v1/policy", {"missing_lists": "block"})
    answer = scrub(dialler, ["5125550162", "4155550162"])  # Texas keeps a list of its own, California none
    assert answer.body.decode().splitlines() == ["5125550162,B", "4155550162,C"]


def test_where_a_consent_is_required_and_lacks_nobody_is_clean(dialler: Dialler) -> None:
    answer = scrub(dialler, ["4155550163"], SCRUB + "?voice_type=prerecorded")
    assert answer.body == b"4155550163,B\n"


def test_a_form_that_is_not_multipart_is_taken_too(dialler: Dialler) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"phoneList": "4155550164"}).encode()
    assert dialler.post(SCRUB, body, headers=headers).body == b"4155550164,C\n"


def test_what_cannot_be_decided_leaves_every_lead_as_it_was(dialler: Dialler) -> None:
    leads = ["4155550165", "4155550166"]
    reader = dialler.with_key("intents:read")
    stranger = Dialler(dialler.service, "cg_unknown")
    for answer in (
        scrub(reader, leads),
        scrub(stranger, leads),
        scrub(dialler, []),
        scrub(dialler, ["4155550165\n4155550166,C"]),
        scrub(dialler, ["4155550165"] * 50_001),
        scrub(dialler, leads, SCRUB + "?purpose=nothing"),
        dialler.post(SCRUB, b"phoneList=4155550165", headers={"Content-Type": "text/plain"}),
        dialler.post(SCRUB, b"--x\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"}),
        dialler.post(SCRUB, b"", headers={"Content-Type": "multipart/form-data"}),
        dialler.post(
            SCRUB,
            b"phoneList=4155550165&phoneList=4155550166",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ),
    ):
        assert answer.status in (400, 401, 403, 413, 415, 422), answer.body
        assert answer.headers["content-type"] == "application/problem+json"
        assert codes_by_script(answer, leads) == {}


def test_a_list_that_is_cleaned_while_postgres_is_away_is_marked_nowhere(
    start_service: Callable[..., RunningService], breakable_servers: object
) -> None:
    from tests.servers import Servers

    assert isinstance(breakable_servers, Servers)
    service = start_service()
    dialler = Dialler(service, service.key)
    leads = ["4155550167", "4155550168"]
    assert codes_by_script(scrub(dialler, leads), leads) == dict.fromkeys(leads, "C")
    breakable_servers.stop_postgres()
    answer = scrub(dialler, leads)
    assert answer.status == 503
    assert codes_by_script(answer, leads) == {}


def test_thousands_are_answered_in_order(dialler: Dialler) -> None:
    leads = [f"415{number:07d}" for number in range(2000000, 2003000)]
    answer = scrub(dialler, leads, timeout_seconds=100)
    assert [line.split(",")[0] for line in answer.body.decode().splitlines()] == leads
    assert {line.split(",")[1] for line in answer.body.decode().splitlines()} <= {"C", "I"}


def test_an_account_cleans_no_more_lists_at_once_than_its_share(dialler: Dialler) -> None:
    """One is fifty thousand questions and a single request of the rate; one that is refused marks no lead."""
    leads = [f"415{number:07d}" for number in range(2000000, 2006000)]
    with ThreadPoolExecutor(8) as several:
        answers = list(
            several.map(lambda _: scrub(dialler, leads, timeout_seconds=100), range(8), timeout=150)
        )
    refused = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} == {200, 429}
    assert all(codes_by_script(answer, leads) == {} for answer in refused)
    assert scrub(dialler, leads[:3]).status == 200
