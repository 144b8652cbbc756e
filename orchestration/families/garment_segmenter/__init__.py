"""garment-segmenter: which pixels of a photograph are which part of a garment, learnt from a few labelled pictures."""

NAME = "garment-segmenter"
