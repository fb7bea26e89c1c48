"""The judge of the defaults: sets, contestants, the protocol, and what is made of the scores."""
