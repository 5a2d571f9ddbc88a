"""The static site of a board.

build        a board in, a folder of pages and downloads out
pages        what each page says
tables       entries of one protocol as rows and columns, and the ranks among them
ranks        rank ranges from intervals alone
definitions  what each metric id means
pareto       quality, consistency and cost as one picture
downloads    the same numbers as CSV, JSON, LaTeX and BibTeX
changes      what happened to the board, by day
addresses    where each page lies
folder       writing the site and removing what an earlier one left
serve        a look at it on this machine
"""

from .build import build_site
from .serve import serve

__all__ = ["build_site", "serve"]
