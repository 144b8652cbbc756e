"""Person detector: whether somebody wears the garment of a product photograph. Learnt from drawn figures only.

Belongs here: drawing figures and garments to learn from, the network, its training. Not here: what follows from a
person in a picture (inference/ad_images/cutouts/people.py).
"""
