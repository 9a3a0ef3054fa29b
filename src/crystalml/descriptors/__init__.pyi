# What a type checker sees in place of the lazy exports of __init__.py; a test compares them.
from crystalml.descriptors._cell import CellDescriptors as CellDescriptors
from crystalml.descriptors._composition import CompositionDescriptors as CompositionDescriptors
from crystalml.descriptors._matminer import MatminerDescriptors as MatminerDescriptors
from crystalml.descriptors._structure import StructureDescriptors as StructureDescriptors
from crystalml.descriptors._table import table_preprocessor as table_preprocessor
from crystalml.descriptors._table_columns import TableColumnSelector as TableColumnSelector
