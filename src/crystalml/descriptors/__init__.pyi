# The public names and where each is defined: __init__.py loads a name from here on first use.
from ._cell import CellDescriptors as CellDescriptors
from ._composition import CompositionDescriptors as CompositionDescriptors
from ._matminer import MatminerDescriptors as MatminerDescriptors
from ._structure import StructureDescriptors as StructureDescriptors
from ._table import table_preprocessor as table_preprocessor
from ._table_columns import TableColumnSelector as TableColumnSelector
