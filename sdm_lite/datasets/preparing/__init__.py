"""Folders as people have them, made into folders that the data sets open.

Apart from the data sets, which read one layout each and change nothing: here files are sought, colours become ids, and
another folder is written. The source is never written to.
"""
