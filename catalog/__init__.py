"""The shared ground of all stages: reading a catalogue, quarantine, groups, splits, Q&A pairs, the drawn catalogue."""
