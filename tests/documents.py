"""Documents that tests of text share."""

REVIEWS = ["Not good!", "Good, isn't it?", "so so", "Not so bad, not bad"]
