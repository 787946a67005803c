"""What holds for every test: a text that is missing, or not filled in, fails."""

from __future__ import annotations

from checkpoint.ui import catalogue

catalogue.strict = True
