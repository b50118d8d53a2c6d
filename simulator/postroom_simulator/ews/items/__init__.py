"""Items as values of the schema: what the store keeps as octets or as properties, seen as one thing.

`kinds` says which element and type an item class has and what its shapes hold; `mail` reads messages; `view` puts an answer together.
"""
