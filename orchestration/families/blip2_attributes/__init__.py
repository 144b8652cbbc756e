"""blip2-attributes: BLIP-2 with a LoRA adapter that names a product's attributes."""

NAME = "blip2-attributes"
