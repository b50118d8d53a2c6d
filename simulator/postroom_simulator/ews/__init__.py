"""Exchange Web Services: an HTTP endpoint over the world's store.

`service` answers requests and knows no transport; `http` frames them; `operations` has one module an operation; `schema` is what the
published schema says, as data.
"""
