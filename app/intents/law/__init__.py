"""The law in force: told as a page and as data, compared, checked, and exchanged while decisions go on."""
