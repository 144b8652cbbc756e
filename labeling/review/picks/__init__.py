"""Picks: which of a request's pictures people would publish, asked one request at a time. A pick publishes."""
