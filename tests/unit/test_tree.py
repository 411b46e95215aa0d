"""The tree gives the roots and proofs of RFC 9162, and believes no other."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import tree
from audit.tree import EMPTY_ROOT, Frontier, Node
from tests.support.audit import VECTORS

LEAVES = [bytes.fromhex(one["leaf_hash_hex"]) for one in VECTORS["entries"]]
sizes = st.integers(1, 700)


def leaves(count: int) -> list[bytes]:
    return [tree.leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def recursive_root(hashes: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    middle = 1
    while middle * 2 < len(hashes):
        middle *= 2
    return tree.node_hash(recursive_root(hashes[:middle]), recursive_root(hashes[middle:]))


@pytest.mark.parametrize("size", range(8))
def test_roots_are_those_of_the_vectors(size: int) -> None:
    assert tree.root_of(LEAVES[:size]).hex() == VECTORS["roots_hex"][str(size)]


@pytest.mark.parametrize("index", range(7))
def test_inclusion_proofs_are_those_of_the_vectors(index: int) -> None:
    proof = tree.inclusion_proof(LEAVES, index)

    assert [one.hex() for one in proof] == VECTORS["inclusion_proofs_size_7"][str(index)]


@pytest.mark.parametrize("old", range(1, 8))
def test_consistency_proofs_are_those_of_the_vectors(old: int) -> None:
    proof = tree.consistency_proof(LEAVES, old)

    assert [one.hex() for one in proof] == VECTORS["consistency_proofs_to_7"][str(old)]


@given(sizes)
def test_the_frontier_agrees_with_the_recursive_definition(size: int) -> None:
    assert tree.root_of(leaves(size)) == recursive_root(leaves(size))


@given(st.lists(st.integers(0, 400), max_size=6))
def test_it_does_not_matter_in_which_parts_a_tree_grows(parts: list[int]) -> None:
    every = leaves(sum(parts))
    frontier = Frontier()
    nodes: list[Node] = []
    start = 0
    for part in parts:
        nodes += frontier.extend(every[start : start + part])
        frontier = Frontier(frontier.size, frontier.packed)
        start += part

    assert frontier.root == recursive_root(every)
    assert nodes == [
        Node(8, position, recursive_root(every[position * 256 : (position + 1) * 256]))
        for position in range(len(every) // 256)
    ]


def test_nodes_of_all_stored_levels_are_given() -> None:
    frontier = Frontier()

    nodes = frontier.extend([b"\0" * 32] * 65_536)

    assert [node.level for node in nodes] == [8] * 256 + [16]
    assert nodes[-1] == Node(16, 0, frontier.root)


@given(sizes, st.data())
def test_every_inclusion_proof_verifies_and_no_other_leaf_does(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    every = leaves(size)
    root = tree.root_of(every)
    proof = tree.inclusion_proof(every, index)

    assert tree.verify_inclusion(index, size, every[index], proof, root)
    assert not tree.verify_inclusion(index, size, b"\0" * 32, proof, root)
    assert not tree.verify_inclusion(index, size, every[index], [*proof, root], root)
    if proof:
        assert not tree.verify_inclusion(index, size, every[index], proof[:-1], root)
    if size > 1:
        other = data.draw(st.integers(0, size - 1).filter(lambda at: at != index))
        assert not tree.verify_inclusion(other, size, every[index], proof, root)


@given(sizes, st.data())
def test_every_consistency_proof_verifies_and_no_other_past_does(
    new: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(0, new))
    every = leaves(new)
    before, after = tree.root_of(every[:old]), tree.root_of(every)
    proof = tree.consistency_proof(every, old)

    assert tree.verify_consistency(old, new, before, after, proof)
    assert not tree.verify_consistency(old, new, b"\0" * 32, after, proof)
    assert not tree.verify_consistency(old, new, before, after, [*proof, after])
    if 0 < old < new:
        assert not tree.verify_consistency(old, new, before, b"\0" * 32, proof)
        assert not tree.verify_consistency(old, new, before, after, proof[:-1])


@pytest.mark.parametrize("index", [-1, 3, 4])
def test_a_leaf_outside_the_tree_is_never_proved(index: int) -> None:
    assert not tree.verify_inclusion(index, 3, LEAVES[0], [], LEAVES[0])
    with pytest.raises(ValueError, match="not in the tree"):
        tree.inclusion_ranges(index, 3)


def test_a_shrinking_tree_is_never_proved() -> None:
    assert not tree.verify_consistency(3, 2, LEAVES[0], LEAVES[0], [])
    with pytest.raises(ValueError, match="shrink"):
        tree.consistency_ranges(3, 2)


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root == EMPTY_ROOT == sha256(b"").digest()


def test_a_frontier_that_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(ValueError, match="frontier"):
        Frontier(3, b"\0" * 32)
