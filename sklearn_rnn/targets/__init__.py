"""What y is: one class for each kind of target."""
