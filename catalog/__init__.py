"""The shared ground of all stages: reading a catalogue, quarantine, groups, splits, Q&A pairs, the drawn catalogue."""

from catalog.stores import use_retries

use_retries()  # before any client of a store is made, in workers and services, too
