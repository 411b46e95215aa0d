.PHONY: setup run check test test-wide test-long bench bench-peers format release lock
setup check test test-wide test-long bench bench-peers format release lock:
	@python3 dev.py $@

run:
	@python3 dev.py run $(if $(PORT),--port $(PORT))
