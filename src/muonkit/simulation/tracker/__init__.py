"""Single particles and pairs through a tracker: what truly happens to them, and the hits that it leaves."""
