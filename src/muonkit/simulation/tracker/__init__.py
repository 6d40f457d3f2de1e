"""Single particles through a tracker: what truly happens to them, and the hits that it leaves."""
