"""The steps, oldest first: tables (1), guards (2). A step is never changed once released; a change is a new step."""
