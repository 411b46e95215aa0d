.PHONY: setup run check test test-wide test-long bench format lock
setup run check test test-wide test-long bench format lock:
	@python3 dev.py $@
