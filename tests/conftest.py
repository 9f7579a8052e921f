import gan_utils.runtime  # noqa: F401  TensorFlow's start-up happens once, quietly, before any test
