"""ad-ranker: which of a request's pictures people would publish, learnt from their picks."""

NAME = "ad-ranker"
