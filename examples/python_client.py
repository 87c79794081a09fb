"""A dialler's half of a call, with the client of clients/python.

    pip install ./clients/python
    KEY=cg_… python examples/python_client.py http://127.0.0.1:8000 +14155551234 +12125550100

The exit status tells the verdict: 0 approved, 1 refused, 3 nobody could decide.
"""

from __future__ import annotations

import os
import sys
import time

from callgate_client import Callgate, NotApproved, Refused


def main() -> int:
    """Ask for one call, hold its channel for a second, tell how it ended."""
    url, to, caller_id = sys.argv[1:4]
    gate = Callgate(url, os.environ["KEY"])
    try:
        with gate.call(to=to, from_=caller_id) as call:
            print(f"approved until {call.approval.expires_at} unless renewed")
            time.sleep(1)  # here the call would be
            call.outcome("answered", talk_seconds=1)
    except Refused as refused:
        print(f"refused, {refused.code}: " + " ".join(refused.reasons))
        if refused.next_allowed_at:
            print(f"try again at {refused.next_allowed_at}")
        return 1
    except NotApproved as error:
        print(f"not approved: {error}")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
