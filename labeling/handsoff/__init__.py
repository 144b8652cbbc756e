"""The few labels that HandsOff starts from: people draw them in Label Studio, on pictures chosen to cover all."""
