from __future__ import annotations

import sys

from tests.policies import judges

sys.path += [str(path) for path in judges.PACKS.values()]  # what the packs know is held against AWS too
