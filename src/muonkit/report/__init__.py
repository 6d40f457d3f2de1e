"""What a person sees of a result: figures, a verdict, and one page that stands alone."""

from muonkit.core.caches import prepare_matplotlib

prepare_matplotlib()
