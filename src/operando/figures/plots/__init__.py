"""One figure a module, each with a function ``draw(source, **options) -> Figure``. The file's name is the figure's."""
