"""The page of a folder of results, `burstsr report`: static HTML that opens from the disk, made from records, previews and what `process --report` wrote.

`site.build` makes it: `collect` finds results, `facts` reads records, `index_page` and `burst_page` write HTML, `pyramid` cuts images into tiles.
"""
