"""ReStGAN: pictures of bottoms that follow the shopper's words, one word at a time."""
