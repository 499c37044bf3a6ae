# The same doors as ./dev, for those who type make. ARGS are passed on: make bootstrap ARGS="--help"
ARGS ?=

.PHONY: help setup bootstrap test lint bench
help setup bootstrap test lint bench:
	@./dev $@ $(ARGS)
