"""From the proven package to Python source files that read as if a careful person had written them."""
