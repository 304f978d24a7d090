"""`mimo web`: a page for one job at a time: a picture, a clip or a motion, a scene, and the result."""
