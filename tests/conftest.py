"""What holds for all tests: the examples that are made up are the same in every run.

A suite that finds something else each time stops work that has nothing to do with it. New examples are looked for on purpose: `make fuzz`
(HYPOTHESIS_PROFILE=fresh), as long and as often as one likes.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("fresh", derandomize=False, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
