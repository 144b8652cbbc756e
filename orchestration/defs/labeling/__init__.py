"""labeling/: labelled sets that grow from a few labels."""
