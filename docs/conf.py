"""Sphinx configuration of the site: ``nox -s docs``, from sources that tools/assemble_docs.py made.

Nothing here needs the network: there is no intersphinx, no analytics and no font from elsewhere.
"""

import os
import sys
import tomllib
import warnings
from importlib.metadata import version as installed_version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

# What runs here, the gallery included, is small and measured on one thread.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

with (ROOT / "pyproject.toml").open("rb") as _file:
    _project = tomllib.load(_file)["project"]

project = "crystalml"
author = "The crystalml developers"
copyright = author  # noqa: A001 (Sphinx's name)
release = version = installed_version(_project["name"])

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "public_names",
]
root_doc = "index"
templates_path = []
exclude_patterns = ["gallery/**/*.ipynb", "gallery/**/*.py", "gallery/**/*.json", "files"]
suppress_warnings = ["config.cache"]  # the gallery's settings are not pickled: always a full build
smartquotes = False  # quotation marks in docstrings are those of Python

# Docstrings: numpydoc, with the public methods listed by tools/assemble_docs.py.
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types stand in the docstrings, with shapes and units
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
toc_object_entries_show_parents = "hide"

# Pages.
myst_heading_anchors = 4
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Gallery: the order of the list on the landing page.
sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",  # scripts with a command line, linked as files
    "within_subsection_order": "gallery_order.position",
    "abort_on_example_error": True,
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("crystalml",),
    "prefer_full_module": {r"crystalml\."},
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "image_srcset": ["2x"],
}
warnings.filterwarnings("ignore", message=".*is non-interactive, and thus cannot be shown")

# Look.
html_theme = "pydata_sphinx_theme"
html_title = "crystalml"
html_static_path = [str(ROOT / "docs" / "_static")]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "header_links_before_dropdown": 5,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
}
html_sidebars = {
    "index": [],
    "comparison": [],
    "changelog": [],
    "contributing": [],
    "measured": [],
    "security": [],
}
