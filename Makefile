.PHONY: setup run check test test-wide bench format lock
setup run check test test-wide bench format lock:
	@python3 dev.py $@
