"""What became of a recording as a page to look at: facts as a value, drawn by pure functions.

:func:`pipeline.report.facts.facts` makes the value, :func:`pipeline.report.page.page` the page,
and the functions of :mod:`pipeline.report.parts` are what a page is put together from.
"""
