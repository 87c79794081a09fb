"""The trees of RFC 9162: every proof holds, no other leaf, place, size or path does, and parts make the same tree."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from app.evidence.proof.merkle import EMPTY, leaf_hash, node_hash, path_of, root_by_path, root_of

RECORDS = st.lists(st.binary(max_size=8), max_size=70)


def root_as_written(records: list[bytes]) -> bytes:
    """The definition of RFC 9162, 2.1.1, word for word."""
    if not records:
        return hashlib.sha256(b"").digest()
    if len(records) == 1:
        return hashlib.sha256(b"\x00" + records[0]).digest()
    k = 1
    while k * 2 < len(records):
        k *= 2
    left, right = root_as_written(records[:k]), root_as_written(records[k:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@given(RECORDS)
def test_the_root_is_that_of_the_definition(records: list[bytes]) -> None:
    assert root_of([leaf_hash(each) for each in records]) == root_as_written(records)


@given(RECORDS.filter(bool), st.data())
def test_every_leaf_has_its_proof_and_it_is_nobody_elses(records: list[bytes], data: st.DataObject) -> None:
    hashes = [leaf_hash(each) for each in records]
    index = data.draw(st.integers(0, len(hashes) - 1))
    root, path = root_of(hashes), path_of(hashes, index)
    assert root_by_path(hashes[index], index, len(hashes), path) == root
    assert root_by_path(leaf_hash(records[index] + b"!"), index, len(hashes), path) != root
    assert root_by_path(hashes[index], index, len(hashes), [*path, EMPTY]) is None
    if path:
        assert root_by_path(hashes[index], index, len(hashes), path[:-1]) is None
        bent = [*path[:-1], node_hash(path[-1], path[-1])]
        assert root_by_path(hashes[index], index, len(hashes), bent) != root
    elsewhere = data.draw(st.integers(0, len(hashes) - 1))
    if hashes[elsewhere] != hashes[index]:
        assert root_by_path(hashes[index], elsewhere, len(hashes), path) != root


@given(RECORDS.filter(bool), st.data())
def test_one_leaf_changed_removed_or_added_makes_another_root(
    records: list[bytes], data: st.DataObject
) -> None:
    hashes = [leaf_hash(each) for each in records]
    at = data.draw(st.integers(0, len(hashes) - 1))
    root, other = root_of(hashes), leaf_hash(b"another record, longer than all the others")
    assert root_of([*hashes[:at], other, *hashes[at + 1 :]]) != root
    assert root_of([*hashes[:at], other, *hashes[at:]]) != root
    assert root_of(hashes[:at] + hashes[at + 1 :]) != root


@settings(max_examples=60)
@given(st.integers(1, 90), st.sampled_from([1, 2, 4, 8, 16]), st.data())
def test_parts_of_a_power_of_two_make_the_same_tree_and_the_same_paths(
    count: int, size: int, data: st.DataObject
) -> None:
    hashes = [leaf_hash(bytes([at])) for at in range(count)]
    parts = [hashes[at : at + size] for at in range(0, count, size)]
    roots = [root_of(part) for part in parts]
    assert root_of(roots) == root_of(hashes)
    at = data.draw(st.integers(0, count - 1))
    part, inside = divmod(at, size)
    assert path_of(parts[part], inside) + path_of(roots, part) == path_of(hashes, at)


def test_a_node_is_no_leaf() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert root_of([]) == EMPTY
