"""What a stack's owner may tell a pack."""

from __future__ import annotations


class SettingsError(ValueError):
    """The pack's configuration cannot be used; the message names the key and what is allowed."""
