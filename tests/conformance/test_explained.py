"""What `trtnet doctor --explain` knows of names is what the releases have."""

from __future__ import annotations

from conformance.explained import TARGET, text
from helpers.conformance.surfaces import surfaces as listed

from trtnet.tools.explain.surfaces import MODULE, surfaces


def test_the_packages_names_are_those_of_the_listings() -> None:
    assert TARGET.read_text() == text(), "run python tests/conformance/explained.py"


def test_reading_gives_back_what_was_packed() -> None:
    known = surfaces()
    for release, (_, surface) in zip(known.releases, listed().items(), strict=True):
        for owner, members in surface.items():
            assert release in known.having(MODULE, owner)
            assert all(release in known.having(owner, member) for member in members)
        absent = {owner for owner in known.masks if release not in known.having(MODULE, owner)}
        assert absent == set(known.masks) - set(surface)
