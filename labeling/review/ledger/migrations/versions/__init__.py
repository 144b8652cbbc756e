"""One file a step, oldest first. A step that was released is never edited."""
