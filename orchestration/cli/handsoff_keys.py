"""The keys of what `selvedge handsoff` prints (results.py). Not here: the commands (handsoff_commands.py)."""

_DURATION = "wall seconds the command took"

KEYS: dict[str, dict[str, str]] = {
    "handsoff train": {
        "path": "folder of the generator",
        "digest": "sha256 over its weights and settings",
        "base": "folder of the base that it began from; null for random weights",
        "pictures": "product pictures that it learnt from",
        "steps": "optimiser steps made, those before a stop included",
        "skipped": "halves of steps that moved nothing, because a gradient was not finite",
        "seconds": _DURATION,
    },
    "handsoff invert": {
        "path": "folder of the codes",
        "pictures": "labelled pictures",
        "inverted": "those that the generator draws well enough again",
        "refused": "names of the others, each with a sentence on stderr",
        "error": "median root mean square error of all, levels of 255",
        "reference": "the same of pictures that the generator drew itself, inverted alike",
        "limit": "the largest error that is not refused",
        "perception": "the perceptual distance that was used",
        "seconds": _DURATION,
    },
    "handsoff label": {
        "path": "folder of the labeller",
        "digest": "sha256 over its weights, its settings and its generator",
        "pictures": "labelled pictures that it learnt from",
        "left_out": "names of those that could not be inverted",
        "classes": "names of the classes; the first is the background",
        "keypoints": "names of the keypoints",
        "maps": "names of the continuous maps",
        "pixels": "pixels that it learnt from",
        "bytes": "memory of their features",
        "all_bytes": "what the features of every pixel would have taken",
        "steps": "optimiser steps made, those before a stop included",
        "seconds": _DURATION,
    },
    "handsoff generate": {
        "path": "folder of the labelled set: images/, masks/, maps/, labels.json, coco.json",
        "digest": "sha256 over everything that the set depends on",
        "sampled": "pictures drawn",
        "kept": "pictures that the filter left",
        "bound": "the largest uncertainty that was kept, nats",
        "mean_kept": "mean uncertainty of those kept",
        "mean_dropped": "mean uncertainty of the others; null where there are none",
        "shares": "share of the kept pictures' pixels by class",
        "seconds": _DURATION,
    },
}
