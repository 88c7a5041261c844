"""Graph, run, store and export: the only room that knows zarr, dask and the results folder."""
