"""Lists of numbers as files: the bytes, the lines, the numbers in them. Knows no store and no HTTP."""
