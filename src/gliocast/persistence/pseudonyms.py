"""Names for patients that say nothing to anyone without the site's own key."""

from __future__ import annotations

import hashlib
import hmac

DIGITS = 12  # hexadecimal: 48 bits, so that two of 100,000 patients share a name once in 56,000 sites


def pseudonym(patient_id: str, key: str) -> str:
    """The patient's pseudonym: the first digits of HMAC-SHA256 (RFC 2104) of the identifier under the site's key."""
    return "P-" + hmac.new(key.encode(), patient_id.encode(), hashlib.sha256).hexdigest()[:DIGITS]
