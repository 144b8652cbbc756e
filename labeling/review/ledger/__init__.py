"""The ledger of reviews: rounds, pulled annotations, verdicts and promotions, append-only, in SQL."""
