"""One module for each system that is measured; `catalogue` names them."""
