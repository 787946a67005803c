"""What all pages share: the look, the texts in both languages, the templates' ground, the clock at the glass.

Server and kiosk build their pages on this. Nothing here knows the store, the network or the web framework, so that
the kiosk looks and reads the same without any of them.
"""

from checkpoint.ui.catalogue import LANGUAGES, Texts, pick_language, texts
from checkpoint.ui.page import STATIC, TEMPLATES, environment

__all__ = ["LANGUAGES", "STATIC", "TEMPLATES", "Texts", "environment", "pick_language", "texts"]
