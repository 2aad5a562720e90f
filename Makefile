# Each target is one command that can be typed as well.
PYTHON ?= .venv/bin/python

.PHONY: bench

bench: # measure everything and write the figures into the documents; ARGS=--quick for a quick look
	$(PYTHON) -m benchmarks $(ARGS)
