"""Using promoted models: attributes, descriptions, and the MLflow entry files. No training code."""
