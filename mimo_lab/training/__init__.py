"""Training: samples from synthetic shots or real clips, the stages, and the loop that runs them."""
