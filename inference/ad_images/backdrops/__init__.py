"""Who paints backgrounds: drawn scenes (studio/), library photographs, generators."""
