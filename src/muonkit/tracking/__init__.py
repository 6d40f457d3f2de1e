"""Hits to tracks."""
