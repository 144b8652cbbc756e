"""catalog/: from a delivery to questions and answers."""
