"""Sphinx extension: names as users write them are found, and docstrings are read as written."""

import re
from importlib import import_module

import crystalml


def setup(app):
    """Register with Sphinx."""
    app.connect("missing-reference", find_public_name)
    app.connect("autodoc-process-docstring", escape_docstring, priority=100)  # before numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def find_public_name(app, env, node, contnode):
    """Resolve `crystalml.read_cif`, or `read_cif` in another package, to its description."""
    if node.get("refdomain") != "py":
        return None
    name, *rest = node["reftarget"].removeprefix("crystalml.").split(".")
    for package in packages_with(name):
        full = ".".join(["crystalml", package, name, *rest])
        found = env.get_domain("py").objects.get(full)
        if found:
            return link(app, node, found, contnode)
    return None


def escape_docstring(app, what, name, obj, options, lines):  # noqa: ARG001 (Sphinx calls it so)
    """Keep underscores at the end of words, in types, from becoming links that lead nowhere.

    Methods cite the references of their class: there the number stays, without a link.
    """
    has_references = any(line.startswith(".. [") for line in lines)
    for i, line in enumerate(lines):
        if re.match(r"[\w*]+(, [\w*]+)* : ", line):
            name_of, colon, type_of = line.partition(" : ")
            lines[i] = name_of + colon + re.sub(r"(?<=[(\s])(\w+)_(?=[,)])", r"\1\\_", type_of)
        if not has_references:
            lines[i] = re.sub(r"\[(\d+)\]_", r"[\1]", lines[i])


def packages_with(name):
    """Yield the public packages that export a name."""
    for package in crystalml.__all__:
        if not package.islower() or package not in PACKAGES:
            continue
        if name in import_module(f"crystalml.{package}").__all__:
            yield package


def link(app, node, found, contnode):
    """Make the reference to an object's description."""
    from docutils import nodes  # here, so that test runs without Sphinx can import this file

    here = node.get("refdoc", app.env.docname)
    uri = app.builder.get_relative_uri(here, found.docname) + f"#{found.node_id}"
    return nodes.reference("", "", contnode, internal=True, refuri=uri, reftitle=node["reftarget"])


def _is_package(name):
    return hasattr(getattr(crystalml, name), "__path__")


PACKAGES = frozenset(name for name in crystalml.__all__ if _is_package(name))
