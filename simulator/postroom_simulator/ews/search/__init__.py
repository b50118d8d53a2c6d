"""Searches: restrictions, query strings, orders, pages and groups over items and folders (ews reference 9).

`values` gives the value of any path of an item or folder, in a form that compares; `restriction` and `query_string` make predicates over such
values; `ordering`, `paging` and `grouping` arrange what is found; `items` and `folders` put them together.
"""
