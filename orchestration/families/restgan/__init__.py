"""restgan: a recurrent StackGAN that pictures what a shopper types, word by word."""

NAME = "restgan"
