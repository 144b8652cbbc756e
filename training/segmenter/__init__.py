"""The garment segmenter: a small network that tells the parts of a garment, pixel by pixel.

Belongs here: its settings, network, augmentation, training and artefact. Not here: labels (training/handsoff/labels.py,
which reads those of people and of HandsOff alike), scores (evaluation/segmentation.py).
"""
