"""HandsOff's networks: a style-based generator of product pictures, trained on pictures alone and frozen afterwards."""
