"""This home on this machine: its settings, services and Dagster instance, and what a kill left behind."""
