"""Where the installation's key is: in a file that is named, or in one of the data directory that is made at need.

Never in Postgres: whoever can write the records there could then sign what they wrote.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from app.evidence import store as evidence
from app.evidence.proof.seal_body import introduction_of
from app.evidence.proof.signing import SealKey, SealKeyError, make_key, read_key

log = logging.getLogger("callgate.seals")
NAME = "seal-key.pem"


@dataclass(frozen=True, slots=True)
class SealKeyFile:
    """The file of the private key. ``is_named``: somebody said where it is, so that none is made in its place."""

    path: Path
    is_named: bool

    def read(self) -> SealKey:
        """The key, read anew each time, so that a rotated one needs no restart. Raises SealKeyError."""
        if not self.is_named and not self.path.exists():
            try:
                made = make_key(self.path)
            except SealKeyError:
                if not self.path.exists():  # another process has made it meanwhile
                    raise
            else:
                log.warning("made the seal key %s in %s: keep a copy of the file", made.id, self.path)
                return made
        return read_key(self.path)


def seal_key_file(named: Path | None, data_dir: Path) -> SealKeyFile:
    """The file that is named, else the one in the data directory."""
    return SealKeyFile(named or data_dir / NAME, named is not None)


async def rotate_key(engine: AsyncEngine, file: SealKeyFile, now: datetime) -> tuple[SealKey, SealKey]:
    """A new key in the file, introduced by the one before, which signs nothing from now on; answers both.

    Raises SealKeyError; then the old one is in force.
    """
    old = file.read()
    beside = file.path.with_name(f"{file.path.name}.next")
    beside.unlink(missing_ok=True)
    new = make_key(beside)
    async with engine.begin() as connection:
        await evidence.add_key(connection, old.id, old.public, now)
        introduction = old.sign(introduction_of(new.public))
        await evidence.add_key(connection, new.id, new.public, now, old.id, introduction)
        await evidence.end_key(connection, old.id, "rotated", now)
        beside.replace(file.path)
    return old, new
