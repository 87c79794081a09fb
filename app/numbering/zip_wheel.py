"""Writes ``zip_codes.csv`` from the zipcodes wheel: ``python -m app.numbering.zip_wheel``."""

from __future__ import annotations

from zipcodes import _zipcodes

from app.numbering.zip_codes import PATH


def table_of_wheel() -> str:
    """The file's text as the installed wheel gives it; 0,0 is how the wheel says that it knows no place."""
    lines = []
    for row in sorted(_zipcodes.list_all(), key=lambda row: str(row["zip_code"])):
        latitude, longitude = float(row["lat"] or 0), float(row["long"] or 0)
        place = f"{latitude:.3f},{longitude:.3f}" if latitude or longitude else ","
        kind = "area" if row["zip_code_type"] == "STANDARD" else "box"
        lines.append(f"{row['zip_code']},{row['state']},{place},{kind}\n")
    return "".join(lines)


if __name__ == "__main__":
    PATH.write_text(table_of_wheel(), encoding="ascii")
