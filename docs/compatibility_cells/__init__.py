"""What compatibility.py runs: a function for each of scikit-learn's tools, and one for what replaces it."""
