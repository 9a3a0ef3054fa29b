"""The public class `KnownCrystals`: a table to be searched for crystals like others."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from crystalml.crystallography import spacegroup_symbol
from crystalml.exceptions import InvalidInputError
from crystalml.known_crystals._index import CrystalIndex
from crystalml.known_crystals._neighbours import (
    BY_CONTENTS,
    BY_LATTICE,
    BY_STOICHIOMETRY,
    find_neighbours,
)
from crystalml.known_crystals._reading import as_table, read_table

_WAYS = {BY_STOICHIOMETRY: "stoichiometry", BY_CONTENTS: "contents", BY_LATTICE: "lattice"}


class KnownCrystals:
    """Known crystals, to be searched for those that are like others.

    Parameters
    ----------
    table : DataFrame
        A row for each crystal with its ``formula`` and, where they are known, its cell (``a``,
        ``b``, ``c`` in Å, ``alpha``, ``beta``, ``gamma`` in degrees), ``n_atoms`` in it (or
        ``formula_units``), ``spacegroup_number`` and ``source``, which tells data sets apart.
        Crystals without a cell are found by their composition. Cells are conventional ones;
        rhombohedral axes are turned into hexagonal ones.

    Raises
    ------
    SchemaError
        If the table has no formulas.
    InvalidInputError
        If no row can be read, or a column of numbers holds something else.

    Warns
    -----
    SkippedRowsWarning
        If rows are left out since their formula or cell cannot be read.

    Notes
    -----
    Three searches find neighbours, none of which compares all rows:

    - stoichiometry: as many atoms on as many kinds of sites, where like elements of a solid
      solution share a site; nearest are those with like elements on the sites, a cell of like
      shape and as many formula units;
    - contents: like elements in like ratios [1]_, as many atoms, a cell of like shape;
    - lattice: nearly the same lattice, whatever the composition.

    Examples
    --------
    >>> from crystalml.datasets import load_cod_inorganic
    >>> from crystalml.known_crystals import KnownCrystals
    >>> table, y = load_cod_inorganic(return_X_y=True)
    >>> known = KnownCrystals(table.assign(spacegroup_number=y, source="COD"))
    >>> mine = {"formula": "LaYbO3", "a": 6.03, "b": 8.41, "c": 5.83}
    >>> mine |= {"alpha": 90.0, "beta": 90.0, "gamma": 90.0}
    >>> found = known.nearest(mine, k=3, hide_same_system=True)
    >>> found[["formula", "spacegroup_hm", "source", "found_by"]]
      formula spacegroup_hm source                 found_by
    0  LaErO3       P n m a    COD  stoichiometry, contents
    1  SrTbO3       P n m a    COD  stoichiometry, contents
    2  BaTbO3       I m m a    COD  stoichiometry, contents

    References
    ----------
    .. [1] C. J. Hargreaves, M. S. Dyer, M. W. Gaultois, V. A. Kurlin, M. J. Rosseinsky, "The Earth
       Mover's Distance as a Metric for the Space of Inorganic Compositions", Chemistry of Materials
       32 (2020) 10610, https://doi.org/10.1021/acs.chemmater.0c03381.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        caller = "KnownCrystals"
        table = as_table(table, caller=caller)
        found = read_table(table, need_formula=True, caller=caller)
        if not len(found.rows):
            raise InvalidInputError(f"{caller}: none of {len(table)} rows can be searched.")
        self._table = table.iloc[found.rows]
        systems, names = pd.factorize(found.systems)
        self._systems = pd.Index(names)
        # The groups of the index are chemical systems, hidden from a query that has one.
        self._index = CrystalIndex(found.crystals._replace(groups=systems))

    def __len__(self) -> int:
        return len(self._table)

    def nearest(
        self,
        query: pd.DataFrame | Iterable[Any],
        k: int = 5,
        *,
        hide_same_system: bool = False,
    ) -> pd.DataFrame:
        """List the known crystals nearest to each crystal.

        Parameters
        ----------
        query : DataFrame, list of dict, dict or list of str
            Crystals with formula, cell or both, in the columns of `KnownCrystals`. Those with a
            formula are compared by stoichiometry and contents, cells alone by their lattices.
        k : int, default=5
            Crystals to list for each row.
        hide_same_system : bool, default=False
            Whether to leave out crystals of the same elements, as a prediction for a new chemical
            system must do.

        Returns
        -------
        DataFrame
            ``row`` (index of the query), ``rank``, ``entry`` (index of the known crystal),
            ``formula``, ``spacegroup_number`` and ``spacegroup_hm`` (missing where unknown),
            ``source``, ``distance`` and ``found_by``, the searches that found it. A distance
            below one is typical of crystals of one structure: it is the root of a sum of squares,
            in which 2 % between lengths in cells of one volume, 8 % between the formula units or
            one standard deviation between the elements count one each.

        Raises
        ------
        SchemaError
            If a needed column is missing.
        InvalidInputError
            If `k` is no whole number above 0, or a column of numbers holds something else.

        Warns
        -----
        SkippedRowsWarning
            If rows are left out since their formula or cell cannot be read.

        Examples
        --------
        >>> import pandas as pd
        >>> from crystalml.known_crystals import KnownCrystals
        >>> table = pd.DataFrame({"formula": ["NaCl", "KBr", "CsCl", "MgF2"], "source": "mine"})
        >>> KnownCrystals(table).nearest(["KCl"], k=2)[["row", "rank", "formula", "source"]]
           row  rank formula source
        0    0     1    NaCl   mine
        1    0     2     KBr   mine
        """
        caller = "KnownCrystals.nearest"
        if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
            raise InvalidInputError(f"{caller}: k is {k!r}; give a whole number above 0.")
        table = as_table(query, caller=caller)
        found = read_table(table, need_formula=False, caller=caller)
        crystals = found.crystals
        if hide_same_system and found.systems is not None:
            # A system that no known crystal has becomes -1, which hides nothing.
            crystals = crystals._replace(groups=self._systems.get_indexer(found.systems))
        pairs = find_neighbours(crystals, self._index, at_least=int(k), lattice_alone=True)
        order = np.lexsort((pairs.reference, pairs.distance, pairs.query))
        rank = pd.Series(pairs.query[order]).groupby(pairs.query[order]).cumcount().to_numpy() + 1
        order, rank = order[rank <= k], rank[rank <= k]
        return self._listed(
            table.index[found.rows[pairs.query[order]]],
            rank,
            pairs.reference[order],
            pairs.distance[order],
            pairs.found_by[order],
        )

    def _listed(self, rows, rank, references, distance, found_by):
        """Put names beside the rows that were found."""
        known = self._table.iloc[references]
        numbers = pd.Series(pd.NA, index=range(len(known)), dtype="Int64")
        if "spacegroup_number" in known.columns:
            numbers = known["spacegroup_number"].astype("Int64").reset_index(drop=True)
        symbols = np.full(len(known), None, dtype=object)
        is_known = numbers.notna().to_numpy()
        symbols[is_known] = spacegroup_symbol(numbers[is_known].to_numpy(dtype=int))
        source = known["source"].to_numpy() if "source" in known.columns else None
        names = {
            code: ", ".join(name for way, name in _WAYS.items() if code & way)
            for code in np.unique(found_by).tolist()
        }
        return pd.DataFrame(
            {
                "row": rows,
                "rank": rank,
                "entry": known.index,
                "formula": known["formula"].to_numpy(),
                "spacegroup_number": numbers,
                "spacegroup_hm": symbols,
                "source": source,
                "distance": distance,
                "found_by": [names[code] for code in found_by.tolist()],
            }
        )
