"""What the repository writes about itself: the reference pages and the picture of the house.

Belongs here: pages that are generated from the code. Not here: pages that people write (docs/), measurements
(benchmarks/). Nothing here is in the wheel, and no room imports it.
"""
