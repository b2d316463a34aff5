"""`--image NAME=PATH`: the map of images that pods which are processes run in."""

from controllers.kubelet.process_runtime.image_map import InvalidImageMap, parse

__all__ = ["InvalidImageMap", "parse"]
