"""inference/discovery/: from a shopper's words to pictures, and from the pictures to products that exist."""
