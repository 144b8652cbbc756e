"""The graph: one road from candidate to champion, built from a declaration, and the factory of all definitions."""
