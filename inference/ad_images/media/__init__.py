"""The media library: photographs that a shop may use in its ads, and finding the right ones.

Belongs here: reading a library and its licences, vectors of its files, retrieval. Not here: painting a photograph
behind a product (backdrops/photographs.py).
"""
