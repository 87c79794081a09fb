"""Ed25519 through ``cryptography``: keys as PEM files of their owner alone, signatures, and their check."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


class SealKeyError(Exception):
    """The key cannot be used; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class SealKey:
    """The installation's key, by which seals are signed."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The 32 bytes that everybody may know."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def id(self) -> str:
        """By which seals name it."""
        return key_id_of(self.public)

    def sign(self, message: bytes) -> bytes:
        """The signature, of 64 bytes."""
        return self.private.sign(message)


def key_id_of(public_key: bytes) -> str:
    """The first half of the SHA-256 of the public key, in hex."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is the key's over the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_key(path: Path) -> SealKey:
    """The key of the file. Raises SealKeyError, also for a file that others than its owner may read."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o007:
            raise SealKeyError(f"the seal key {path} may be read by everybody; chmod 600 it")
        found = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise SealKeyError(f"the seal key {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, TypeError):
        raise SealKeyError(f"the seal key {path} is no unencrypted private key in PEM") from None
    if not isinstance(found, Ed25519PrivateKey):
        raise SealKeyError(f"the seal key {path} is not of Ed25519")
    return SealKey(found)


def make_key(path: Path) -> SealKey:
    """A new key in a new file, which only its owner may read. Raises SealKeyError; a file that is there stays."""
    made = Ed25519PrivateKey.generate()
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)  # whole or not at all, and never over one that is there
    except FileExistsError:
        raise SealKeyError(f"{path} is there already") from None
    except OSError as error:
        raise SealKeyError(f"the seal key {path} cannot be made: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)
    return SealKey(made)
