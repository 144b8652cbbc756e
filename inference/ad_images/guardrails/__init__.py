"""Guardrails: what a request may not ask and a photograph may not show, checked before any work.

Belongs here: the protocol and its adapters. Not here: fields that are no value of their kind (brief.py), what a cut-out
or a finished picture shows (cutouts/, quality/).
"""
