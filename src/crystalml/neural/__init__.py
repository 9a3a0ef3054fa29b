"""Neural nets as scikit-learn estimators: torch modules, trained by skorch.

Needs the extra ``neural``: ``pip install 'crystalml-sklearn[neural]'``.
"""

import lazy_loader

from crystalml._dependencies import import_optional

# Asked for here, not with the first net, so that importing the package names what is missing.
for _package in ("torch", "skorch", "pytorch_tabnet"):
    import_optional(_package, needed_by="crystalml.neural")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
