"""Training a small convolutional network on real images: data, models, the loop and the run (the extra `train`)."""
