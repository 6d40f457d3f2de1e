"""The stories, read first: what happens to a user's muons, step by step."""
