"""Quality control: is this picture good enough to be shown, guideline by guideline, with the evidence.

Belongs here: guidelines as data (brand.py, presets/), what is measured (measurements.py and the files it names), the
verdict (control.py), the questions that only a vision model answers (bedrock_judge.py). Not here: which of the passing
pictures is best (ranking.py), what to try when none passes (feedback.py).
"""
