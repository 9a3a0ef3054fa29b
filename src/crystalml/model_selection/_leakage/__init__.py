"""The leakage audit.

``_table`` reads the input of `audit_leakage` into one `Audit`, ``_scores`` scores its columns.
Each check takes the audit once and returns findings: ``_verdicts`` on a single column (``_audit``
passes over all of them), ``_split`` on both sides of a split, ``_traces`` on preprocessing, exact
cells and products of columns. ``_report`` shows the findings.
"""
