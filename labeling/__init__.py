"""Where labels come from: people (review) and a GAN (handsoff). The rule that decides is in evaluation/."""
