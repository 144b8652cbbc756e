"""Ad ranker: which of a request's pictures people would publish. A pairwise logistic, learnt from picks."""
