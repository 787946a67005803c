"""What holds for every test: a text that is missing, or not filled in, fails."""

from __future__ import annotations

import checkpoint.ui.texts as texts_module
from checkpoint.ui import texts as _  # noqa: F401  # the function; the module's switch is below

texts_module.strict = True
