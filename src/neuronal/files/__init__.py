"""Files: written whole or not at all (`writing`), and arrays with a header in one (`archive`)."""
