# make demo · make test: each makes .venv, installs what is locked and does its job. Needs Python 3.11 or later.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
SPARK := $(if $(shell command -v java),.venv/.spark)
TRIALS ?=
OUT ?= demo

.PHONY: demo test lint faults notebooks bench lock clean

demo: $(READY) ## the whole way on CDNOW, a real log
	$(BIN)/churnvalue demo --out $(OUT) $(if $(TRIALS),--trials $(TRIALS))

test: $(READY) $(SPARK) lint ## every check that must hold
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports | tail -4

faults: $(READY) ## kill, starve and cut off real processes, for minutes
	$(BIN)/python tests/faults/long_faults.py
	if test -f tests/fuzz/long_fuzz.py; then $(BIN)/python tests/fuzz/long_fuzz.py; fi

notebooks: $(READY) ## execute every notebook
	$(BIN)/pytest --nbmake --nbmake-timeout=600 notebooks

bench: $(READY) ## every benchmark, quickly; needs DATA=the folder of the logs
	for name in prediction retention timing speed; do $(BIN)/python -m benchmarks.$$name --quick --data $(DATA) || exit 1; done

lock: ## write the locks anew from pyproject.toml
	$(BIN)/uv pip compile -q --python-version 3.11 --group dev --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate pyproject.toml -o requirements.lock
	echo 'pyspark>=4.1' | $(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate - -o requirements-spark.lock

clean:
	rm -rf .venv demo

# uv installs in seconds where pip needs minutes; pip is the way out where uv cannot reach the registry. Compiled once here, as pip
# does by itself, libraries need not be compiled by every process that may not write there.
$(READY): requirements.lock requirements-bootstrap.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements-bootstrap.lock
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes --no-deps -r requirements.lock \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Half a gigabyte, so only where there is Java to run it; without it the tests of Spark are skipped.
.venv/.spark: $(READY) requirements-spark.lock
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes --no-deps -r requirements-spark.lock
	touch $@
