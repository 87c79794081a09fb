"""Pages for people: compliance officers and operators, without a shell. How to add one: docs/console.md.

A page is a file under ``pages/`` with its template beside it and a line in ``rail.py``. It asks the same verbs and
stores as REST does, under the same scopes, and has no rule and no statement of its own.
"""
