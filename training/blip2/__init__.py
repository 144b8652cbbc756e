"""BLIP-2 with LoRA: reads product attributes from photographs. Profiles `tiny` and `flan-t5-xl`, one code path."""
