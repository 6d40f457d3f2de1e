"""Conditions: payloads (named, revised bytes), the runs they hold for, and the global tags that gather them."""
