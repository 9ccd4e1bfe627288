from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliocast.imaging import gunzip
from gliocast.imaging.findings import Refused

parts = st.lists(st.binary(max_size=300).map(lambda seed: seed * 7), min_size=1, max_size=3)


@given(parts=parts, padding=st.integers(0, 40), packed=st.integers(1, 64), unpacked=st.integers(1, 64))
def test_pieces_of_any_size_are_the_whole_content(tmp_path_factory, parts, padding, packed, unpacked):
    path = tmp_path_factory.getbasetemp() / "members.gz"
    path.write_bytes(b"".join(gzip.compress(part) + bytes(padding) for part in parts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gunzip, "PACKED_BYTES", packed)
        patch.setattr(gunzip, "UNPACKED_BYTES", unpacked)
        assert b"".join(gunzip.unpacked_pieces(path)) == b"".join(parts)


@pytest.mark.parametrize("damage", [lambda whole: whole[:-1], lambda whole: whole[:12], lambda whole: whole + b"more"])
def test_a_cut_file_and_one_with_something_behind_are_refused(tmp_path, damage):
    path = tmp_path / "damaged.gz"
    path.write_bytes(damage(gzip.compress(b"nine slices" * 100)))
    with pytest.raises(Refused):
        list(gunzip.unpacked_pieces(path))


def test_a_wrong_checksum_is_refused(tmp_path):
    whole = bytearray(gzip.compress(b"nine slices" * 100))
    whole[-8] ^= 1
    path = tmp_path / "damaged.gz"
    path.write_bytes(bytes(whole))
    with pytest.raises(Refused):
        list(gunzip.unpacked_pieces(path))
