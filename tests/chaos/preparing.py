"""What is in force before anything breaks: a webhook that is told of wishes, and a registry."""

from __future__ import annotations

import time

from tests.chaos.registries import NAME, SETTINGS, Loaded, file_of
from tests.contract.dialler import Dialler
from tests.events.receiver import Receiver, failing
from tests.service import RunningService


def listen(receiver: Receiver, account: Dialler) -> None:
    """A webhook of the account that is told of STOP and START; one delivery in twenty is answered 500."""
    body = {"url": receiver.url, "events": ["opt_out.recorded", "opt_in.recorded"]}
    made = account.put("/v1/webhooks/chaos", body)
    assert made.status == 201, made.body
    receiver.secret = made.json()["secret"]
    receiver.answering = failing(0.05, 1)


def first_registry(service: RunningService) -> Loaded:
    """A registry with one of its two lists, loaded."""
    operator = Dialler(service, service.key)
    assert operator.put(f"/v1/registries/{NAME}", SETTINGS).status == 201
    path, headers = f"/v1/registries/{NAME}/versions", {"Content-Type": "text/csv"}
    sent = time.time()
    loading = operator.post(path, file_of(0), headers=headers)
    assert loading.status == 202, loading.body
    while (job := operator.get(loading.headers["location"]).json())["status"] == "running":
        time.sleep(0.05)
    assert job["status"] == "succeeded", job
    return Loaded(sent, time.time(), 0, answered=True)
