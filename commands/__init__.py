"""The verbs of the command line, one file for each group; `viewsweep.cli` puts them in order.

A verb imports what it needs when it is called, so that the command line itself starts at once.
"""
