"""From fitted tracks to corrections of the detector: alignment, field and material of every surface."""
