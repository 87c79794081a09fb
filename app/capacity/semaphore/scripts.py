"""The Lua scripts, read once at import, as one folder holds them."""

from __future__ import annotations

from pathlib import Path

from app.platform.redis.lua_script import Script

_FOLDER = Path(__file__).parent / "lua"


ADMIT = Script(_FOLDER, "admit.lua")
SPEND = Script(_FOLDER, "spend.lua")
RELEASE = Script(_FOLDER, "release.lua")
WITHDRAW = Script(_FOLDER, "withdraw.lua")
RENEW = Script(_FOLDER, "renew.lua")
LEASE = Script(_FOLDER, "lease.lua")
USAGE = Script(_FOLDER, "usage.lua")
MEMBERS = Script(_FOLDER, "members.lua")
FORGET = Script(_FOLDER, "forget.lua")
EXPIRED = Script(_FOLDER, "expired.lua")
REBUILD = Script(_FOLDER, "rebuild.lua")
HOLDINGS = Script(_FOLDER, "holdings.lua")
PROBE = Script(_FOLDER, "probe.lua")
