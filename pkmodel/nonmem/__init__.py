"""NONMEM-style tables in and out: read and judged, simulated, turned into patient records, written.

``read_table`` gives a :class:`Table` or every fault of the file; ``check_table`` lists faults and warnings;
``simulate_table`` predicts its samples by a model; ``records`` and ``table_of_records`` go to and from
:class:`pkmodel.record.PatientRecord`; ``table_of_simulation`` and ``write_table`` go out.
"""

from pkmodel.nonmem.building import build, check_table, read_table
from pkmodel.nonmem.findings import Lint
from pkmodel.nonmem.records import records, table_of_records
from pkmodel.nonmem.simulating import simulate_table
from pkmodel.nonmem.table import Table
from pkmodel.nonmem.writing import table_of_simulation, write_table

__all__ = [
    "Lint", "Table", "build", "check_table", "read_table", "records", "simulate_table", "table_of_records",
    "table_of_simulation", "write_table",
]  # fmt: skip
