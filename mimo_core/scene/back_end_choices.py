"""The choices `masks` and `depth`, and the folders of their networks."""

AUTO, CLASSICAL = "auto", "classical"
MASK_FOLDERS = {"edgetam": "mimo/edgetam", "sam2": "mimo/sam2"}
DEPTH_FOLDERS = {"depth anything": "mimo/depth_anything"}
MASK_CHOICES = (AUTO, CLASSICAL, *MASK_FOLDERS)
DEPTH_CHOICES = (AUTO, CLASSICAL, *DEPTH_FOLDERS)
