"""The graph, one folder a stage. What a family needs (candidate, scores, promotion, champion) is made by family.py."""
