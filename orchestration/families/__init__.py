"""The families, one declaration a file."""
