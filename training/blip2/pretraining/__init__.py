"""Pre-training the tiny base: drawn pictures, everyday sentences, two stages, probes.

Belongs here: the corpus, the two stages of the BLIP-2 paper at small size, the go/no-go probes, the model card.
Not here: drawing (catalog/drawn/), the model and its files (training/blip2/base.py), LoRA (training/blip2/lora.py).
"""
