"""The steps, oldest first: tables (1), guards (2), mending of open tags (3).

A step is never changed once released; a change is a new step."""
