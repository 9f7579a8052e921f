"""Two mends for the reference pages, a Sphinx extension: constructors of Keras classes, names as docstrings have them.

Keras gives every class a ``__new__(*args, **kwargs)``, which autodoc would show for its constructor. And a docstring
says ``Player`` or ``terms.Term`` where Sphinx wants the whole path.
"""

from typing import Any

from sphinx.util import inspect
from sphinx.util.nodes import make_refnode


def constructor(_: Any, what: str, _name: str, thing: Any, _options: Any, shown: str, returns: str) -> Any:
    """Return the signature of a class's ``__init__`` where autodoc shows that of Keras's ``__new__``."""
    if what == "class" and shown == "(*args, **kwargs)":
        signature = inspect.signature(thing.__init__, bound_method=True)
        return inspect.stringify_signature(signature, show_annotation=False, show_return_annotation=False), returns
    return None


def resolve(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Link a name that ends the path of one documented object."""
    if node.get("refdomain") != "py":
        return None
    objects = env.get_domain("py").objects
    found = [name for name, entry in objects.items() if name.endswith("." + node["reftarget"]) and not entry.aliased]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, found[0])


def setup(app: Any) -> dict[str, bool]:
    """Connect both."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-signature", constructor)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True}
