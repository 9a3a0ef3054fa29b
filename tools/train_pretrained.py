"""Fit the ready models of ``crystalml.load_pretrained``, and write their checksums and cards.

Run from the root of the repository::

    python tools/train_pretrained.py                      # fit, write model, checksum and card
    python tools/train_pretrained.py --figures FILE.json  # the same, with held-out figures
    python tools/train_pretrained.py --card-only --figures FILE.json   # new figures, same model

The seed is fixed: the same data and versions of libraries give the same model. FILE.json is what
``crystalml.pretrained._card.read_figures`` describes; it is kept beside the model.
"""

import argparse
import shutil
import sys
from pathlib import Path
from time import perf_counter

from crystalml.exceptions import CrystalmlError
from crystalml.pretrained._build import build_model
from crystalml.pretrained._card import card_of, read_figures
from crystalml.pretrained._locations import checksum_file, sha256_of, shipped_file
from crystalml.pretrained._recipes import RECIPES

# What a wheel may reasonably carry.
LARGEST = 15_000_000


def main(arguments=None):
    """Do what the command line says; return the exit code."""
    options = _parser().parse_args(arguments)
    recipe = RECIPES[options.name]._replace(every=options.every)
    if options.every > 1:
        small = {"n_trees": 10, "n_rounds": 10}
        recipe = recipe._replace(parameters={**recipe.parameters, **small})
    folder = options.folder or shipped_file(recipe.name).parent
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / f"{recipe.name}.crystalml"
    figures = model.with_suffix(".figures.json")
    if options.figures:
        read_figures(options.figures)  # before minutes of work
        if options.figures.resolve() != figures.resolve():
            shutil.copyfile(options.figures, figures)
    if not options.card_only:
        _train(recipe, model, options.n_jobs)
    card = card_of(recipe.name, model, figures)
    model.with_suffix(".md").write_text(card, encoding="utf-8")
    size = model.stat().st_size
    print(f"{model}: {size:,} bytes, at most {LARGEST:,} are shipped")
    return 0 if size <= LARGEST else 1


def _train(recipe, model, n_jobs):
    """Fit and write one model, with its checksum."""
    start = perf_counter()
    build_model(recipe, model, n_jobs=n_jobs)
    print(f"{recipe.name}: fitted and saved in {perf_counter() - start:.0f} s")
    text = f"{sha256_of(model)}  {model.name}\n"
    checksum_file(model).write_text(text, encoding="ascii")


def _parser():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="?", choices=sorted(RECIPES), default="cod-inorganic")
    parser.add_argument("--figures", type=Path, help="JSON file with held-out figures")
    parser.add_argument("--card-only", action="store_true", help="do not fit")
    parser.add_argument("--folder", type=Path, help="where to write; default: into the package")
    parser.add_argument("--n-jobs", type=int, help="trees grown at the same time")
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        help="for trials: fit a small model to each so-many-th row (never for a release)",
    )
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CrystalmlError as problem:
        sys.exit(str(problem))
