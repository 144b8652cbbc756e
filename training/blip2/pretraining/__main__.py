"""`python -m training.blip2.pretraining --out DIR`. Imports nothing at the top: every drawing process reads this file first."""

if __name__ == "__main__":
    from training.blip2.pretraining.make import main

    main()
