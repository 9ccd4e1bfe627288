.PHONY: setup demo test bench check clean

PYTHON ?= python3
BIN := .venv/bin
# A set-up is done once per lock file; the stamp says for which one.
STAMP := .venv/.installed

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("gliocast needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

# The peers are needed by the benchmarks alone.
.venv/.installed-bench: $(STAMP) requirements-bench.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock -r requirements-bench.lock
	touch $@

demo: setup
	$(BIN)/kedro run --pipeline hybrid

# Each process has one thread: two that wait for each other's take many times as long. Files are handed out in their order:
# by the number of their tests, the few long ones of whole runs would come last, and one process would wait for the other.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

bench: .venv/.installed-bench
	$(BIN)/python -m benchmarks

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Raw data may be a site's own, and weights come from elsewhere: both stay.
clean:
	rm -rf data/.stages data/0[2-57-9]*
	find data/06_models -mindepth 1 -maxdepth 1 ! -name pretrained -exec rm -rf {} + 2>/dev/null || true
