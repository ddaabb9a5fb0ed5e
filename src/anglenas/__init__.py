"""anglenas: find a good network for your images by a few steps of training.

::

    import anglenas

    found = anglenas.search(data="photos/", budget=60)
    network = found.best.network(num_classes=10)  # an ordinary torch.nn.Module
"""
