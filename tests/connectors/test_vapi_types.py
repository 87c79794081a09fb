"""The questions, reports and answers of the tests are those of Vapi's own package.

It asks for an older pydantic than ours, and so stands in no lock file: `make test-packages` installs it.
"""

from __future__ import annotations

import importlib.util

import pytest

from tests.connectors.test_vapi import CAMPAIGN, end_of_call, predial

# Its thousands of models take a quarter of a minute to import.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("vapi") is None,
        reason="vapi-server-sdk is not installed: make test-packages",
    ),
]


def test_the_question_and_the_report_are_the_package_s() -> None:
    from vapi.types.server_message_campaign_predial import ServerMessageCampaignPredial
    from vapi.types.server_message_end_of_call_report import ServerMessageEndOfCallReport

    question = ServerMessageCampaignPredial.model_validate(predial("+14155551234")["message"])
    assert (question.type, question.campaign_id) == ("campaign.predial", CAMPAIGN)
    assert question.contact.number == "+14155551234"
    report = ServerMessageEndOfCallReport.model_validate(
        end_of_call("+14155551234", "customer-busy", "Hello")["message"]
    )
    assert (report.type, report.ended_reason) == ("end-of-call-report", "customer-busy")


@pytest.mark.parametrize("eligible", [True, False])
def test_the_answer_is_the_package_s(eligible: bool) -> None:
    from vapi.types.server_message_response_campaign_predial import ServerMessageResponseCampaignPredial

    answer = ServerMessageResponseCampaignPredial.model_validate({"eligible": eligible})
    assert answer.eligible is eligible
