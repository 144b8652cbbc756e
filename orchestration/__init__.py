"""Dagster and the command line. No algorithms: an asset body is a few lines that call another folder."""
