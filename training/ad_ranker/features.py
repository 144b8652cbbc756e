"""Features: the measurements of a picture that the ranker is fitted on, by name and in order.

Belongs here: the names, which a ranker's file and a table of picks are held to. Not here: their units and how a picture
is measured (inference/ad_images/ranking.py).
"""

FEATURES = (
    "object_expansion", "halo", "duplicates", "frame_share", "thirds", "text_area", "overlay_area", "contact_shadow",
    "shadow_side", "horizon", "horizon_tilt", "highlights", "blacks", "brightness", "palette", "contrast", "sharpness",
    "clutter", "brightness_off", "share_off", "off_center", "turned",
)  # fmt: skip
