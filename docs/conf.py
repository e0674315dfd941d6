"""Sphinx: pages in Markdown, some of them notebooks that run; a reference page per object; a gallery page per figure.

Everything that a build makes stands in docs/generated (pages) and docs/_build (the site: docs/_build/html). Pages are made by
the modules of docs/site_pages. A build that runs no notebook takes half of the time:

    python -m sphinx -D nb_execution_mode=off docs docs/_build/html

and ``-D nb_execution_mode=cache`` runs again only those notebooks whose code changed (not those whose library did).
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from site_pages import everything, explorer, kernel, mathematics, names, notes, signatures, terms  # noqa: E402

from gating_theory.version import __version__ as release  # noqa: E402

project, author = "gating_theory", "the gating_theory authors"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_design",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "site_pages"]
suppress_warnings = [
    "myst.header",  # README and CHANGELOG begin where they like
    "ref.python",  # names of attributes that several results have
    "myst-nb.lexer",  # of notebooks that are not run
]

# pages in Markdown
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
# equations are numbered by the pages of the theory, which have numbers
numfig = True
numfig_secnum_depth = 1

# the reference: docstrings as they stand, signatures as they are written
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 70
numpydoc_show_class_members = False
html_copy_source = False
html_show_copyright = False
viewcode_line_numbers = True

# names in quotes can be copied as they stand
smartquotes = False

# how it looks
html_theme = "furo"
html_title = f"gating_theory {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
mathjax_path = mathematics.PATH
mathjax3_config = mathematics.CONFIG

kernel.of_this_python(HERE / "generated" / "jupyter")
everything.write()


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", notes.on_the_site)
    app.connect("autodoc-process-signature", signatures.as_written)
    app.connect("build-finished", mathematics.copy)
    app.connect("build-finished", explorer.copy)
    app.add_transform(terms.Links)
    app.add_transform(names.Links)
