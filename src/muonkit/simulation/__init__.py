"""Truth to what a detector would show. The fit never sees this room."""
