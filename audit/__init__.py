"""The log and its proofs: what happened, without saying to whom.

An event is staged in the transaction of the change it tells of, sequenced into
a Merkle tree (RFC 9162), and covered by signed checkpoints (C2SP). Personal
facts stay outside the tree, sealed, bound to it by salted commitments, so that
erasing them breaks no proof. Imports nothing of ours but `storage`.
"""
