"""Any table into a matrix of numbers that knows which column each of its features came from."""
