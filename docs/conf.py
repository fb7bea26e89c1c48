"""Sphinx configuration. Build: sphinx-build -W --keep-going -b html docs docs/_build/html"""

import os
from importlib.metadata import version as distribution_version

from docutils import nodes

project = "sklearn_rnn"
copyright = "2026, The sklearn_rnn developers"
author = "The sklearn_rnn developers"
release = distribution_version("sklearn-rnn")
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "myst_parser",
]
templates_path = ["_templates"]
# compatibility_table.rst and quality_table.rst are included by other pages.
exclude_patterns = ["_build", "compatibility_table.rst", "quality_table.rst"]
default_role = "code"
nitpicky = False

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "backreferences_dir": "api/generated/backreferences",
    "doc_module": ("sklearn_rnn",),
    "reference_url": {"sklearn_rnn": None},
    "remove_config_comments": True,
    "show_signature": False,
    "download_all_examples": False,
}

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_sidebars = {page: [] for page in ("changelog", "compatibility", "install", "quality")}  # pages without siblings
html_title = f"sklearn_rnn {release}"
html_show_sourcelink = False
html_theme_options = {"show_prev_next": True, "secondary_sidebar_items": ["page-toc"]}

# The build needs no network. DOCS_INTERSPHINX=1 links to the documentation of the libraries beneath.
if os.environ.get("DOCS_INTERSPHINX") == "1":
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "skorch": ("https://skorch.readthedocs.io/en/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }

# Labels of scikit-learn's documentation that the docstrings of inherited methods refer to.
SCIKIT_LEARN = "https://scikit-learn.org/stable/"
SCIKIT_LEARN_LABELS = {
    "accuracy_score": "modules/model_evaluation.html#accuracy-score",
    "df_output_transform": "auto_examples/miscellaneous/plot_set_output.html",
    "metadata_routing": "metadata_routing.html",
    "r2_score": "modules/model_evaluation.html#r2-score-the-coefficient-of-determination",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": "auto_examples/miscellaneous/plot_set_output.html",
}


def link_to_scikit_learn(app, env, node, contnode):
    """Resolve the references of inherited docstrings without an inventory from the network."""
    target = node["reftarget"]
    page = f"glossary.html#term-{target}" if node["reftype"] == "term" else SCIKIT_LEARN_LABELS.get(target)
    if page is None:
        return None
    if contnode.astext() == target and target.startswith("sphx_glr"):  # a label without a title of its own
        contnode = nodes.inline("", "scikit-learn's example")
    return nodes.reference("", "", contnode, internal=False, refuri=SCIKIT_LEARN + page)


def setup(app):
    app.connect("missing-reference", link_to_scikit_learn)
