"""What has landed stays as it was: an installation may be at any of these, and the next begins there."""

from __future__ import annotations

import hashlib

import pytest

from tests.house.tree import CHECKOUT

VERSIONS = CHECKOUT / "migrations/versions"
# `sha256sum migrations/versions/0*.py`. A new migration is added here once it is on main; no line is ever changed.
LANDED = {
    "0001_first_schema.py": "d67faa8e238f8bcce86d6ba2c4c2fa11fc091b9442522affbbb7cedf31f89e10",
    "0002_registries.py": "42bd773f688b4aadcd841d6bfc4dea2bdfd756335d4574d3f1273df62eb7e79b",
    "0003_opt_outs_marked.py": "a47742ca73ac7c2ac1fc597028a61d21fae92326c510c5ec10a93c2ad865c6e2",
    "0004_policy_versions.py": "18bcac1e5c5c77dffeee5d95ee6ac2fb0292e27cfe0cb384dfdc240eef5fef4b",
    "0005_opt_outs.py": "67e96e81a975a18a7c3c0f6c244a74595bda762b276726186b71bae7bbe389af",
    "0006_opt_outs_moved.py": "523b2e3bb1577822a7dfc61a5788e0cc4bebc15cef9517694412dd1b35ec74a5",
    "0007_scopes_split.py": "2207b7759ab89dae594a85d3d6972adcc03e0c2c80f847b00c1bba026445f2b0",
}


@pytest.mark.parametrize("name", LANDED)
def test_a_landed_migration_is_never_edited(name: str) -> None:
    assert hashlib.sha256((VERSIONS / name).read_bytes()).hexdigest() == LANDED[name]


def test_every_migration_of_the_chain_is_numbered_and_the_landed_come_first() -> None:
    names = sorted(path.name for path in VERSIONS.glob("[0-9]*.py"))
    assert names[: len(LANDED)] == sorted(LANDED)
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
